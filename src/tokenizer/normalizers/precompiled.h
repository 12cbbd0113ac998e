#pragma once

#include <vector>

#include "tokenizer/json_fields.h"
#include "tokenizer/normalizers/normalizer.h"

namespace galore {

// SentencePiece's compiled normalization table ("precompiled_charsmap"): a double-array trie and the texts
// that its values point to. Applied as the Python package does: to a grapheme of less than 6 bytes, else to
// its characters, and the shortest prefix that the trie knows stands for the whole.
class PrecompiledNormalizer : public Normalizer {
 public:
  explicit PrecompiledNormalizer(const JsonFields& fields);
  void normalize(NormalizedText& text) const override;

 private:
  // The replacement of `chunk`, or false.
  bool transform(std::string_view chunk, std::string_view& replacement) const;
  void append_grapheme(std::string& result, std::string_view grapheme) const;

  std::vector<uint32_t> trie_;
  std::string texts_;  // ended by NUL each
};

}  // namespace galore
