#pragma once

#include <array>
#include <span>

#include "tokenizer/models/model.h"
#include "tokenizer/models/symbol_pair.h"

namespace galore {

// Byte pair encoding: starts from the characters of a piece and joins neighbouring pairs, always the pair of
// lowest rank first.
class BpeModel : public Model {
 public:
  BpeModel(const JsonFields& fields, const ModelTables& tables);
  void encode(std::string_view piece, std::vector<int32_t>& ids) const override;
  bool is_bpe() const override { return true; }
  bool words_are_independent(std::string_view word_start) const override;

 private:
  struct Merge {
    int32_t rank = -1;  // -1: the pair does not merge
    int32_t id = -1;
  };

  void read_merges(const JsonFields& fields, const ModelTables& tables);
  Merge merge_of(int32_t left, int32_t right) const {
    const auto found = merges_.find(pair_of(left, right));
    return found == merges_.end() ? Merge{} : found->second;
  }
  void append_characters(std::string_view piece, std::vector<int32_t>& symbols) const;
  int32_t symbol_of(std::string_view character, bool first, bool last) const;
  bool append_bytes(std::string_view character, std::vector<int32_t>& symbols) const;
  // Both functions leave the merged ids at the front of `symbols` and return their number.
  size_t merge_short(std::span<int32_t> symbols) const;
  size_t merge_long(std::span<int32_t> symbols) const;

  tsl::robin_map<uint64_t, Merge, PairHash> merges_;
  std::string prefix_, suffix_;  // continuing_subword_prefix, end_of_word_suffix
  int32_t unknown_ = -1;
  bool names_unknown_;  // whether the file names an unk_token, in the vocabulary or not
  bool fuse_unknown_, byte_fallback_, ignore_merges_;
  std::array<int32_t, 256> byte_ids_{};
  // ids of the first code points; used only when prefix and suffix are empty
  std::array<int32_t, 0x180> character_ids_{};
};

}  // namespace galore
