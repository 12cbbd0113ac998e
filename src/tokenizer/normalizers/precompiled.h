#pragma once

#include <vector>

#include "tokenizer/json_fields.h"
#include "tokenizer/normalizers/normalizer.h"

namespace galore {

// Applies SentencePiece's compiled normalization table ("precompiled_charsmap"): a double-array trie with
// values that point to replacement texts. As in the Python package, a grapheme of fewer than 6 bytes is
// looked up as a whole and any longer one character by character, and the shortest prefix that the trie knows
// stands for the whole.
class PrecompiledNormalizer : public Normalizer {
 public:
  explicit PrecompiledNormalizer(const JsonFields& fields);
  void normalize(NormalizedText& text) const override;

 private:
  // Sets `replacement` to the replacement of `chunk`, or returns false when there is none.
  bool transform(std::string_view chunk, std::string_view& replacement) const;
  void append_grapheme(std::string& result, std::string_view grapheme) const;

  std::vector<uint32_t> trie_;
  std::string texts_;  // each text ends with NUL
};

}  // namespace galore
