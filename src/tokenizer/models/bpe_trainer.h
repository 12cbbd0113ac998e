// Learns the merges of byte pair encoding from counted words (Sennrich et al., 2016, algorithm 1).
//
// Among pairs of equal count the pair with the smaller ids is merged first, as in the Python package
// `tokenizers`, so that both learn the same merges.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <queue>
#include <utility>
#include <vector>

#include "tokenizer/models/symbol_pair.h"

namespace galore {

struct LearnedMerge {
  int32_t left, right, id;
};

class BpeTrainer {
 public:
  // The symbols of words have ids below `first_free_id`; the first merge gets this id.
  explicit BpeTrainer(int32_t first_free_id) : next_id_(first_free_id) {}

  void add_word(std::vector<int32_t> symbols, int64_t count);
  // Merges until there are `num_ids` ids or until no pair occurs at least `min_frequency` times in the text.
  std::vector<LearnedMerge> learn(int64_t num_ids, int64_t min_frequency);

 private:
  struct Word {
    std::vector<int32_t> symbols;
    int64_t count;
  };
  struct PairUse {
    int64_t count = 0;
    std::vector<uint32_t> words;  // words that hold the pair or have held it
  };
  struct Candidate {
    int64_t count;
    uint64_t pair;
    bool operator<(const Candidate& other) const {  // reversed, because the queue puts the greatest first
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  void count_pair(int32_t left, int32_t right, uint32_t word, int64_t change);
  void merge_in_word(uint32_t word, const LearnedMerge& merge);
  void apply(const LearnedMerge& merge, const std::vector<uint32_t>& words);

  int32_t next_id_;
  std::vector<Word> words_;
  tsl::robin_map<uint64_t, PairUse, PairHash> pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<uint64_t> grown_;  // pairs that the current merge has made
};

}  // namespace galore
