// Turns the matches of a pattern and the text between them into pieces ("behavior").
#pragma once

#include <string>

#include "tokenizer/json_fields.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"
#include "tokenizer/regex/regex.h"
#include "tokenizer/unicode/code_points.h"

namespace galore {

enum class DelimiterBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

DelimiterBehavior delimiter_behavior(const JsonFields& fields);

// Takes the stretches of a text in order, matches and others, and passes pieces to the sink.
class Delimiters {
 public:
  Delimiters(DelimiterBehavior behavior, const TextPiece& whole, PieceSink& sink)
      : behavior_(behavior), whole_(whole), sink_(sink) {}

  void add(size_t begin, size_t end, bool is_match) {
    switch (behavior_) {
      case DelimiterBehavior::isolated:
        return emit(begin, end);
      case DelimiterBehavior::removed:
        if (!is_match) emit(begin, end);
        return;
      default:
        merge(begin, end, is_match);
    }
  }
  void finish() {
    if (holds_) emit(begin_, end_);
    holds_ = false;
  }

 private:
  void emit(size_t begin, size_t end) {
    if (begin < end) sink_.take(whole_.part(begin, end));
  }
  void merge(size_t begin, size_t end, bool is_match);

  const DelimiterBehavior behavior_;
  const TextPiece& whole_;
  PieceSink& sink_;
  bool holds_ = false, last_was_match_ = false;
  size_t begin_ = 0, end_ = 0;  // the stretch that is held back
};

// Splits at the characters for which matches(c) is true. Each such character is one match.
template <typename Matches>
void split_at_characters(const TextPiece& piece, DelimiterBehavior behavior, PieceSink& sink,
                         Matches matches) {
  Delimiters delimiters(behavior, piece, sink);
  size_t done = 0;
  for_each_code_point(piece.text, [&](CodePoint c, size_t at) {
    if (!matches(c.value)) return;
    if (done < at) delimiters.add(done, at, false);
    done = at + c.bytes;
    delimiters.add(at, done, true);
  });
  if (done < piece.text.size()) delimiters.add(done, piece.text.size(), false);
  delimiters.finish();
}

// Splits at the matches of a regular expression. With `invert`, the text between the matches counts as match
// and the matches count as text.
void split_at_regex(const TextPiece& piece, const Regex& regex, bool invert, DelimiterBehavior behavior,
                    PieceSink& sink);

}  // namespace galore
