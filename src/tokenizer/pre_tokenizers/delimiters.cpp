#include "tokenizer/pre_tokenizers/delimiters.h"

namespace galore {

DelimiterBehavior delimiter_behavior(const JsonFields& fields) {
  const std::string name = fields.text("behavior", "Isolated");
  if (name == "Removed") return DelimiterBehavior::removed;
  if (name == "Isolated") return DelimiterBehavior::isolated;
  if (name == "MergedWithPrevious") return DelimiterBehavior::merged_with_previous;
  if (name == "MergedWithNext") return DelimiterBehavior::merged_with_next;
  if (name == "Contiguous") return DelimiterBehavior::contiguous;
  fields.refuse("behavior", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

// Each of the three merging behaviors joins two neighbours in one case. A stretch is held back while the next
// one could still join it.
void Delimiters::merge(size_t begin, size_t end, bool is_match) {
  bool joins = false;
  if (behavior_ == DelimiterBehavior::contiguous) joins = is_match == last_was_match_;
  if (behavior_ == DelimiterBehavior::merged_with_previous) joins = is_match && !last_was_match_;
  if (behavior_ == DelimiterBehavior::merged_with_next) joins = !is_match && last_was_match_;
  last_was_match_ = is_match;
  if (joins && holds_) {
    end_ = end;
    return;
  }
  finish();
  holds_ = true;
  begin_ = begin;
  end_ = end;
}

void split_at_regex(const TextPiece& piece, const Regex& regex, bool invert, DelimiterBehavior behavior,
                    PieceSink& sink) {
  Delimiters delimiters(behavior, piece, sink);
  RegexMatches matches(regex, piece.text);
  size_t done = 0;
  for (Regex::Match match; matches.next(match); done = match.end) {
    if (done != match.begin) delimiters.add(done, match.begin, invert);
    delimiters.add(match.begin, match.end, !invert);
  }
  if (done != piece.text.size()) delimiters.add(done, piece.text.size(), invert);
  delimiters.finish();
}

}  // namespace galore
