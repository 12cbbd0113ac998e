// Finds special tokens, which are cut out of the raw text before any other stage reads it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/tokenizer_config.h"

namespace galore {

class SpecialTokens {
 public:
  void add(int32_t id, const AddedToken& token);
  const AddedToken* find(int32_t id) const;

  struct Match {
    size_t begin = 0, end = 0;  // includes the blanks that the token swallows
    int32_t id = -1;            // -1: no match
  };
  // Returns the leftmost match at or after `from`, and the longest of those that begin there.
  Match find_next(std::string_view text, size_t from) const;

 private:
  struct Entry {
    AddedToken token;
    int32_t id;
  };
  std::vector<Entry> by_first_byte_[256];  // each list has the longest token first
  std::string first_bytes_;
  std::unordered_map<int32_t, AddedToken> by_id_;
};

}  // namespace galore
