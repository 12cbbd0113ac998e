// Finds the pairs of a block of queries and a block of keys that attention visits. Legend: T positions of a
// row.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace galore::kernels::cpu {

inline constexpr size_t kBlock = 64;    // queries and keys in a block; T and D are padded to multiples of it
inline constexpr size_t kTileRows = 4;  // rows that a matrix product computes at once

inline size_t padded(size_t n) { return (n + kBlock - 1) / kBlock * kBlock; }

// The numbers from `begin` to `end` - 1.
struct Span {
  size_t begin, end;
  size_t size() const { return end - begin; }
  bool empty() const { return begin >= end; }
};

// The keys that each position of a row, or of a segment of it, sees. Positions and keys are numbered from the
// segment's first.
struct KeyRanges {
  const int32_t *first,
      *end;  // `length` each: position t sees [first, end), counted from the row's first; null: [0, t + 1)
  size_t length;
  size_t window;      // position t sees none of the keys before t + 1 - window
  size_t offset = 0;  // of the segment in its row

  Span of(size_t query) const {
    const size_t position = offset + query;
    const size_t last = end ? static_cast<size_t>(end[query]) : position + 1;
    size_t begin = first ? static_cast<size_t>(first[query]) : 0;
    if (position + 1 > window) begin = std::max(begin, position + 1 - window);
    return begin < last ? Span{begin - offset, last - offset} : Span{0, 0};
  }
  // The keys of block `block` that the query sees, numbered from the block's first; positions from `length`
  // on see none.
  Span columns(size_t query, size_t block) const {
    if (query >= length) return {0, 0};
    const Span seen = of(query);
    const size_t begin = block * kBlock, last = begin + kBlock;
    return {std::clamp(seen.begin, begin, last) - begin, std::clamp(seen.end, begin, last) - begin};
  }
  // Returns the ranges of one segment of a row that has ranges of its own.
  KeyRanges segment(const Span& positions) const {
    return {first + positions.begin, end + positions.begin, positions.size(), window,
            offset + positions.begin};
  }
};

// Cuts a row with ranges of its own where no position sees a key beyond the cut, as between packed documents,
// into segments of a block at least (but the last) that begin at multiples of `multiple`. Attention treats a
// segment as a row, so that documents cost what they cost as rows, wherever they begin.
std::vector<Span> independent_segments(const KeyRanges& row, size_t multiple);

// The part of a pair of blocks that attention computes. Outside the two spans, which are multiples of
// kTileRows, no query sees a key.
struct BlockPair {
  uint32_t queries, keys;  // numbers of the blocks
  uint8_t first_row, end_row, first_column, end_column;

  Span rows() const { return {first_row, end_row}; }
  Span columns() const { return {first_column, end_column}; }
};

// All pairs of one row in which a query sees a key, ordered by their queries and then by their keys.
class BlockPairs {
 public:
  explicit BlockPairs(const KeyRanges& ranges);
  // Returns the pairs of query block `block`.
  std::span<const BlockPair> of(size_t block) const {
    return {pairs_.data() + first_[block], first_[block + 1] - first_[block]};
  }
  std::span<const BlockPair> all() const { return pairs_; }

 private:
  void add_block(const KeyRanges& ranges, size_t block);

  std::vector<BlockPair> pairs_;
  std::vector<size_t> first_;  // the first pair of each query block, then the number of all pairs
};

}  // namespace galore::kernels::cpu
