// Pre-tokenizers that split at single characters, and two that need only a pattern.
#pragma once

#include <vector>

#include "tokenizer/pre_tokenizers/delimiters.h"

namespace galore {

class WhitespaceSplitPreTokenizer : public PreTokenizer {
 public:
  void split(const TextPiece& piece, PieceSink& sink) const override;
};

// Makes a piece of each run of word characters and of each run of other characters; white space is removed.
class WhitespacePreTokenizer : public PreTokenizer {
 public:
  void split(const TextPiece& piece, PieceSink& sink) const override;
};

// Splits at white space, which is removed, and makes every punctuation character a piece of its own.
class BertPreTokenizer : public PreTokenizer {
 public:
  void split(const TextPiece& piece, PieceSink& sink) const override;
};

class DigitsPreTokenizer : public PreTokenizer {
 public:
  explicit DigitsPreTokenizer(const JsonFields& fields)
      : individual_(fields.flag("individual_digits", false)) {}
  void split(const TextPiece& piece, PieceSink& sink) const override;

 private:
  bool individual_;
};

class PunctuationPreTokenizer : public PreTokenizer {
 public:
  explicit PunctuationPreTokenizer(const JsonFields& fields) : behavior_(delimiter_behavior(fields)) {}
  void split(const TextPiece& piece, PieceSink& sink) const override;

 private:
  DelimiterBehavior behavior_;
};

class CharDelimiterPreTokenizer : public PreTokenizer {
 public:
  explicit CharDelimiterPreTokenizer(const JsonFields& fields) : delimiter_(fields.character("delimiter")) {}
  void split(const TextPiece& piece, PieceSink& sink) const override;

 private:
  char32_t delimiter_;
};

class FixedLengthPreTokenizer : public PreTokenizer {
 public:
  explicit FixedLengthPreTokenizer(const JsonFields& fields) : length_(fields.integer("length", 5)) {}
  void split(const TextPiece& piece, PieceSink& sink) const override;

 private:
  int64_t length_;  // in characters
};

// Begins a new piece at every change of script. A character that belongs to any script joins the preceding
// piece. Without a preceding piece it is lost, as in the Python package.
class UnicodeScriptsPreTokenizer : public PreTokenizer {
 public:
  void split(const TextPiece& piece, PieceSink& sink) const override;
};

class SplitPreTokenizer : public PreTokenizer {
 public:
  explicit SplitPreTokenizer(const JsonFields& fields);
  void split(const TextPiece& piece, PieceSink& sink) const override {
    split_at_regex(piece, regex_, invert_, behavior_, sink);
  }

 private:
  Regex regex_;
  DelimiterBehavior behavior_;
  bool invert_;
};

// Runs several pre-tokenizers in order, each on the pieces of its predecessor.
class PreTokenizerSequence : public PreTokenizer {
 public:
  explicit PreTokenizerSequence(const JsonFields& fields);
  void split(const TextPiece& piece, PieceSink& sink) const override { run(0, piece, sink); }
  bool leave_bytes_plain() override { return !parts_.empty() && parts_.back()->leave_bytes_plain(); }

 private:
  class Next;
  void run(size_t part, const TextPiece& piece, PieceSink& sink) const;

  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

}  // namespace galore
