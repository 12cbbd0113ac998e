// Ids of words seen before: the same few thousand words make up most of a text, so most of the work of a
// merging tokenizer is repeated. Bounded: when full it is emptied.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace galore {

class WordCache {
 public:
  static constexpr size_t kMaxWords = 1 << 17, kLongestWord = 64;  // bytes; about 20 MB when full

  // True and appended to `ids` when the word is known.
  bool append(std::string_view word, std::vector<int32_t>& ids) const {
    const auto found = words_.find(word);
    if (found == words_.end()) return false;
    const int32_t* first = ids_.data() + found->second.begin;
    ids.insert(ids.end(), first, first + found->second.count);
    return true;
  }

  void insert(std::string_view word, std::span<const int32_t> ids) {
    if (word.size() > kLongestWord) return;
    if (words_.size() >= kMaxWords) words_.clear(), ids_.clear();
    words_.emplace(word, Range{static_cast<uint32_t>(ids_.size()), static_cast<uint32_t>(ids.size())});
    ids_.insert(ids_.end(), ids.begin(), ids.end());
  }

 private:
  struct Range {
    uint32_t begin, count;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, Range, Hash, std::equal_to<>> words_;
  std::vector<int32_t> ids_;
};

}  // namespace galore
