// Remembers the ids of words. A few thousand words make up most of a text, so most of the work of a merging
// tokenizer is repeated. The size is bounded: a full cache is emptied.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

namespace galore {

class WordCache {
 public:
  static constexpr size_t kMaxWords = 1 << 17, kLongestWord = 64;  // bytes; a full cache takes about 20 MB

  // Appends the ids and returns true when the word is known.
  bool append(std::string_view word, std::vector<int32_t>& ids) const {
    if (word.size() > kLongestWord) return false;
    const auto found = words_.find(word);
    if (found == words_.end()) return false;
    const int32_t* first = ids_.data() + found->second.begin;
    if (found->second.count == 1)
      ids.push_back(*first);
    else
      ids.insert(ids.end(), first, first + found->second.count);
    return true;
  }

  void insert(std::string_view word, std::span<const int32_t> ids) {
    if (word.size() > kLongestWord) return;
    if (words_.size() >= kMaxWords) clear();
    words_.emplace(stored(word),
                   Range{static_cast<uint32_t>(ids_.size()), static_cast<uint32_t>(ids.size())});
    ids_.insert(ids_.end(), ids.begin(), ids.end());
  }

 private:
  struct Range {
    uint32_t begin, count;
  };
  struct Hash {
    // A word of up to 16 bytes is read as two numbers; one multiplication each is far cheaper than a general
    // hash.
    size_t operator()(std::string_view word) const {
      if (word.size() > 16) return std::hash<std::string_view>{}(word);
      uint64_t low = 0, high = 0;
      if (word.size() >= 8) {
        std::memcpy(&low, word.data(), 8);
        std::memcpy(&high, word.data() + word.size() - 8, 8);
      } else if (word.size() >= 4) {
        uint32_t first = 0, last = 0;
        std::memcpy(&first, word.data(), 4);
        std::memcpy(&last, word.data() + word.size() - 4, 4);
        low = first, high = last;
      } else if (!word.empty()) {
        low = static_cast<uint64_t>(static_cast<unsigned char>(word[0])) << 16 |
              static_cast<uint64_t>(static_cast<unsigned char>(word[word.size() / 2])) << 8 |
              static_cast<unsigned char>(word.back());
      }
      uint64_t hash = (low ^ word.size() * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
      hash = (hash ^ hash >> 32 ^ high) * 0xc4ceb9fe1a85ec53ULL;
      return hash ^ hash >> 29;
    }
  };
  static constexpr size_t kBlockBytes = 1 << 16;

  std::string_view stored(std::string_view word) {
    if (blocks_.empty() || used_ + word.size() > kBlockBytes) {
      blocks_.push_back(std::make_unique<char[]>(kBlockBytes));
      used_ = 0;
    }
    char* to = blocks_.back().get() + used_;
    word.copy(to, word.size());
    used_ += word.size();
    return {to, word.size()};
  }
  void clear() {
    words_.clear();
    ids_.clear();
    blocks_.clear();
  }

  tsl::robin_map<std::string_view, Range, Hash, std::equal_to<>,
                 std::allocator<std::pair<std::string_view, Range>>, true>
      words_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t used_ = 0;
  std::vector<int32_t> ids_;
};

// Keeps one cache for each thread that encodes at the same time, from call to call.
class WordCaches {
 public:
  class Lease {
   public:
    explicit Lease(WordCaches& caches) : caches_(caches), cache_(caches.take()) {}
    ~Lease() { caches_.give_back(std::move(cache_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    WordCache& operator*() const { return *cache_; }

   private:
    WordCaches& caches_;
    std::unique_ptr<WordCache> cache_;
  };

 private:
  std::unique_ptr<WordCache> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<WordCache>();
    std::unique_ptr<WordCache> cache = std::move(free_.back());
    free_.pop_back();
    return cache;
  }
  void give_back(std::unique_ptr<WordCache> cache) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(cache));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<WordCache>> free_;
};

}  // namespace galore
