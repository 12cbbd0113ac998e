#include "tokenizer/models/bpe_trainer.h"

#include <algorithm>

namespace galore {

void BpeTrainer::add_word(std::vector<int32_t> symbols, int64_t count) {
  if (symbols.size() > 1) words_.push_back({std::move(symbols), count});
}

void BpeTrainer::count_pair(int32_t left, int32_t right, uint32_t word, int64_t change) {
  PairUse& use = pairs_[pair_of(left, right)];
  use.count += change * words_[word].count;
  if (change < 0) return;
  if (use.words.empty() || use.words.back() != word) use.words.push_back(word);
}

void BpeTrainer::merge_in_word(uint32_t word, const LearnedMerge& merge) {
  std::vector<int32_t>& symbols = words_[word].symbols;
  size_t kept = 0;
  for (size_t i = 0; i < symbols.size(); ++i, ++kept) {
    symbols[kept] = symbols[i];
    if (i + 1 == symbols.size() || symbols[i] != merge.left || symbols[i + 1] != merge.right) continue;
    symbols[kept] = merge.id;
    if (kept > 0) {
      count_pair(symbols[kept - 1], merge.left, word, -1);
      count_pair(symbols[kept - 1], merge.id, word, 1);
      grown_.push_back(pair_of(symbols[kept - 1], merge.id));
    }
    if (i + 2 < symbols.size()) {
      count_pair(merge.right, symbols[i + 2], word, -1);
      count_pair(merge.id, symbols[i + 2], word, 1);
      grown_.push_back(pair_of(merge.id, symbols[i + 2]));
    }
    ++i;
  }
  symbols.resize(kept);
}

void BpeTrainer::apply(const LearnedMerge& merge, const std::vector<uint32_t>& words) {
  grown_.clear();
  for (const uint32_t word : words) merge_in_word(word, merge);
  std::sort(grown_.begin(), grown_.end());
  grown_.erase(std::unique(grown_.begin(), grown_.end()), grown_.end());
  for (const uint64_t pair : grown_)
    if (const int64_t count = pairs_[pair].count; count > 0) queue_.push({count, pair});
}

std::vector<LearnedMerge> BpeTrainer::learn(int64_t num_ids, int64_t min_frequency) {
  for (uint32_t word = 0; word < words_.size(); ++word) {
    const auto& symbols = words_[word].symbols;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) count_pair(symbols[i], symbols[i + 1], word, 1);
  }
  for (const auto& [pair, use] : pairs_) queue_.push({use.count, pair});
  std::vector<LearnedMerge> merges;
  while (next_id_ < num_ids && !queue_.empty()) {
    const Candidate top = queue_.top();
    queue_.pop();
    const auto found = pairs_.find(top.pair);
    if (found == pairs_.end()) continue;
    if (found->second.count != top.count) {  // the count has changed since the pair was queued
      if (found->second.count > 0) queue_.push({found->second.count, top.pair});
      continue;
    }
    if (top.count < std::max<int64_t>(1, min_frequency)) break;
    const std::vector<uint32_t> words = std::move(found.value().words);
    pairs_.erase(found);
    merges.push_back(
        {static_cast<int32_t>(top.pair >> 32), static_cast<int32_t>(top.pair & 0xffffffff), next_id_++});
    apply(merges.back(), words);
    pairs_.erase(top.pair);  // In overlapping places, as in "aaa", the merge has counted its own pair again.
  }
  return merges;
}

}  // namespace galore
