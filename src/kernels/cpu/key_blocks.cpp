#include "kernels/cpu/key_blocks.h"

namespace galore::kernels::cpu {
namespace {

// Extends `all` so that it covers `one`. An empty span changes nothing.
void include(Span& all, const Span& one) {
  if (one.empty()) return;
  all = all.empty() ? one : Span{std::min(all.begin, one.begin), std::max(all.end, one.end)};
}

uint8_t rounded_down(size_t n) { return static_cast<uint8_t>(n / kTileRows * kTileRows); }
uint8_t rounded_up(size_t n) { return rounded_down(n + kTileRows - 1); }

}  // namespace

std::vector<Span> independent_segments(const KeyRanges& row, size_t multiple) {
  // The first key that a position sees, or a later one.
  std::vector<size_t> needed(row.length + 1, row.length);
  for (size_t t = row.length; t-- > 0;) {
    const Span seen = row.of(t);
    needed[t] = seen.empty() ? needed[t + 1] : std::min(needed[t + 1], seen.begin);
  }
  std::vector<Span> segments;
  size_t begin = 0, reach = 0;  // keys before `reach` are seen by positions before t
  for (size_t t = 1; t < row.length; ++t) {
    reach = std::max(reach, row.of(t - 1).end);
    if (t - begin < kBlock || t % multiple != 0 || reach > t || needed[t] < t) continue;
    segments.push_back({begin, t});
    begin = t;
  }
  segments.push_back({begin, row.length});
  return segments;
}

BlockPairs::BlockPairs(const KeyRanges& ranges) {
  const size_t blocks = padded(ranges.length) / kBlock;
  first_.reserve(blocks + 1);
  for (size_t block = 0; block < blocks; ++block) {
    first_.push_back(pairs_.size());
    add_block(ranges, block);
  }
  first_.push_back(pairs_.size());
}

void BlockPairs::add_block(const KeyRanges& ranges, size_t block) {
  const size_t begin = block * kBlock, end = std::min(begin + kBlock, ranges.length);
  Span seen{0, 0};
  for (size_t query = begin; query < end; ++query) include(seen, ranges.of(query));
  for (size_t keys = seen.begin / kBlock; keys * kBlock < seen.end; ++keys) {
    Span rows{0, 0}, columns{0, 0};
    for (size_t query = begin; query < end; ++query) {
      const Span one = ranges.columns(query, keys);
      include(columns, one);
      if (!one.empty()) include(rows, {query - begin, query - begin + 1});
    }
    if (rows.empty()) continue;
    pairs_.push_back({static_cast<uint32_t>(block), static_cast<uint32_t>(keys), rounded_down(rows.begin),
                      rounded_up(rows.end), rounded_down(columns.begin), rounded_up(columns.end)});
  }
}

}  // namespace galore::kernels::cpu
