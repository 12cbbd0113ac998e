// Pre-tokenizers that cut at single characters, and the two that need no more than a pattern.
#pragma once

#include <vector>

#include "tokenizer/pre_tokenizers/delimiters.h"

namespace galore {

class WhitespaceSplitPreTokenizer : public PreTokenizer {
 public:
  void split(const TextPiece& piece, PieceSink& sink) const override;
};

// Runs of word characters, and runs of what is neither that nor white space.
class WhitespacePreTokenizer : public PreTokenizer {
 public:
  void split(const TextPiece& piece, PieceSink& sink) const override;
};

// White space goes, and every character of punctuation stands alone.
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
  int64_t length_;  // characters
};

// A new piece at every change of script. What belongs to any script goes with what stands before it, and is
// lost where nothing does, as in the Python package.
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

// One after the other, each on the pieces of the one before.
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
