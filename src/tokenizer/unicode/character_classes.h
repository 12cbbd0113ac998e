// Classes of single characters, exactly as in the Python package `tokenizers`.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tokenizer/unicode/unicode_tables.h"

namespace galore {

// A set of code points: a bitmap for the Basic Multilingual Plane and sorted ranges for all other code
// points.
class CodePointSet {
 public:
  explicit CodePointSet(std::span<const unicode_tables::CodePointRange> ranges);
  bool contains(char32_t c) const { return c < kBits ? (bits_[c >> 6] >> (c & 63) & 1) != 0 : searched(c); }

 private:
  static constexpr char32_t kBits = 0x10000;
  bool searched(char32_t c) const;

  std::array<uint64_t, kBits / 64> bits_{};
  std::vector<unicode_tables::CodePointRange> beyond_;
};

bool is_white_space(char32_t c);
bool is_rust_word(char32_t c);
bool is_numeric(char32_t c);
bool is_punctuation(char32_t c);
bool is_removed_by_bert(char32_t c);
bool is_nonspacing_mark(char32_t c);
bool is_combining_mark(char32_t c);
bool is_removed_by_nmt(char32_t c);
bool is_space_for_nmt(char32_t c);
bool is_inert_in_normal_forms(char32_t c);
bool is_chinese(char32_t c);  // characters that BertNormalizer surrounds by blanks

// Returns a number for each script; Hiragana and Katakana count as Han. Returns 0 for characters that belong
// to any script.
int script_of(char32_t c);

// Appends the lower case of one character; its neighbours do not matter.
void append_lowercase(std::string& text, char32_t c);

}  // namespace galore
