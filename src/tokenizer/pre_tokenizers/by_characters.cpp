#include "tokenizer/pre_tokenizers/by_characters.h"

#include "tokenizer/unicode/character_classes.h"

namespace galore {
namespace {

Regex split_pattern(const JsonFields& fields) {
  const JsonFields::Pattern pattern = fields.pattern("pattern");
  const std::string where = fields.place("pattern");
  return pattern.is_regex ? Regex(pattern.text, where) : Regex::literal(pattern.text, where);
}

class PunctuationApart : public PieceSink {
 public:
  explicit PunctuationApart(PieceSink& sink) : sink_(sink) {}
  void take(const TextPiece& piece) override {
    split_at_characters(piece, DelimiterBehavior::isolated, sink_, is_punctuation);
  }

 private:
  PieceSink& sink_;
};

}  // namespace

void WhitespaceSplitPreTokenizer::split(const TextPiece& piece, PieceSink& sink) const {
  split_at_characters(piece, DelimiterBehavior::removed, sink, is_white_space);
}

void WhitespacePreTokenizer::split(const TextPiece& piece, PieceSink& sink) const {
  enum Kind { space, word, other } last = space;
  size_t begin = 0;
  const auto emit = [&](size_t end) {
    if (last != space) sink.take(piece.part(begin, end));
  };
  for_each_code_point(piece.text, [&](CodePoint c, size_t at) {
    const Kind kind = is_white_space(c.value) ? space : is_rust_word(c.value) ? word : other;
    if (kind == last) return;
    emit(at);
    begin = at;
    last = kind;
  });
  emit(piece.text.size());
}

void BertPreTokenizer::split(const TextPiece& piece, PieceSink& sink) const {
  PunctuationApart words(sink);
  split_at_characters(piece, DelimiterBehavior::removed, words, is_white_space);
}

void DigitsPreTokenizer::split(const TextPiece& piece, PieceSink& sink) const {
  const auto behavior = individual_ ? DelimiterBehavior::isolated : DelimiterBehavior::contiguous;
  split_at_characters(piece, behavior, sink, is_numeric);
}

void PunctuationPreTokenizer::split(const TextPiece& piece, PieceSink& sink) const {
  split_at_characters(piece, behavior_, sink, is_punctuation);
}

void CharDelimiterPreTokenizer::split(const TextPiece& piece, PieceSink& sink) const {
  split_at_characters(piece, DelimiterBehavior::removed, sink,
                      [this](char32_t c) { return c == delimiter_; });
}

void FixedLengthPreTokenizer::split(const TextPiece& piece, PieceSink& sink) const {
  size_t begin = 0;
  int64_t length = 0;
  const auto emit = [&](size_t end) {
    if (begin < end) sink.take(piece.part(begin, end));
    begin = end;
    length = 0;
  };
  for_each_code_point(piece.text, [&](CodePoint, size_t at) {
    if (length == length_) emit(at);
    ++length;
  });
  if (length_ > 0) emit(piece.text.size());
}

void UnicodeScriptsPreTokenizer::split(const TextPiece& piece, PieceSink& sink) const {
  size_t begin = piece.text.size();
  int last = 0;
  const auto emit = [&](size_t end) {
    if (begin < end) sink.take(piece.part(begin, end));
  };
  for_each_code_point(piece.text, [&](CodePoint c, size_t at) {
    const int script = script_of(c.value);
    if (script == 0 || script == last) return;
    emit(at);
    begin = at;
    last = script;
  });
  emit(piece.text.size());
}

SplitPreTokenizer::SplitPreTokenizer(const JsonFields& fields)
    : regex_(split_pattern(fields)),
      behavior_(delimiter_behavior(fields)),
      invert_(fields.flag("invert", false)) {}

PreTokenizerSequence::PreTokenizerSequence(const JsonFields& fields) {
  const nlohmann::json& list = fields.array("pretokenizers");
  for (size_t i = 0; i < list.size(); ++i)
    parts_.push_back(make_pre_tokenizer(list[i], fields.place(fmt::format("pretokenizers[{}]", i))));
}

class PreTokenizerSequence::Next : public PieceSink {
 public:
  Next(const PreTokenizerSequence& sequence, size_t part, PieceSink& sink)
      : sequence_(sequence), part_(part), sink_(sink) {}
  void take(const TextPiece& piece) override { sequence_.run(part_, piece, sink_); }

 private:
  const PreTokenizerSequence& sequence_;
  size_t part_;
  PieceSink& sink_;
};

void PreTokenizerSequence::run(size_t part, const TextPiece& piece, PieceSink& sink) const {
  if (part == parts_.size()) return sink.take(piece);
  if (part + 1 == parts_.size()) return parts_[part]->split(piece, sink);
  Next next(*this, part + 1, sink);
  parts_[part]->split(piece, next);
}

}  // namespace galore
