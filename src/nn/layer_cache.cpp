#include "nn/layer_cache.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "core/errors.h"

namespace galore {
namespace {

// Returns more rows than the window needs, so that rows are moved only from time to time. With an eighth of
// the window to spare, the moves cost eight copied rows per token, while the token reads all rows anyway.
int64_t rows_kept(const LayerCache::Size& size) {
  if (size.window == 0) return size.max_length;
  return std::min(size.max_length, size.window - 1 + std::max<int64_t>(1, size.window / 8));
}

}  // namespace

LayerCache::LayerCache(const Size& size, at::ScalarType dtype, Ledger& ledger) : window_(size.window) {
  const std::array<int64_t, 3> shape{rows_kept(size), size.key_heads, size.head_dim};
  rows_ = {ledger.empty(Owner::activations, shape, dtype), ledger.empty(Owner::activations, shape, dtype)};
}

LayerCache::Seen LayerCache::append(int64_t count, const Pass& pass) {
  const int64_t earlier = window_ > 0 ? std::min(filled_, window_ - 1) : filled_, all = earlier + count;
  const auto last_earlier = [&](const at::Tensor& rows) {
    return rows.narrow(0, filled_ - earlier, earlier);
  };
  if (all > capacity()) {
    GALORE_ASSERT(window_ > 0);
    const std::array<int64_t, 3> shape{all, rows_.key.size(1), rows_.key.size(2)};
    Seen seen{{}, pass.scratch("cache.key", shape), pass.scratch("cache.value", shape)};
    seen.rows = {**seen.key, **seen.value};
    seen.rows.key.narrow(0, 0, earlier).copy_(last_earlier(rows_.key));
    seen.rows.value.narrow(0, 0, earlier).copy_(last_earlier(rows_.value));
    return seen;
  }
  if (filled_ + count > capacity()) move_to_front(earlier);
  filled_ += count;
  return {{rows_.key.narrow(0, filled_ - all, all), rows_.value.narrow(0, filled_ - all, all)}, {}, {}};
}

// Copies piece by piece, because source and target overlap.
void LayerCache::move_to_front(int64_t count) {
  const int64_t shift = filled_ - count;
  for (const at::Tensor& rows : {rows_.key, rows_.value})
    for (int64_t begin = 0; begin < count; begin += shift) {
      const int64_t piece = std::min(shift, count - begin);
      rows.narrow(0, begin, piece).copy_(rows.narrow(0, begin + shift, piece));
    }
  filled_ = count;
}

void LayerCache::keep(const Seen& seen) {
  if (!seen.key) return;  // the caller has written into the cache itself
  const KeysAndValues& rows = seen.rows;
  filled_ = std::min(window_ - 1, rows.key.size(0));
  const int64_t first = rows.key.size(0) - filled_;
  rows_.key.narrow(0, 0, filled_).copy_(rows.key.narrow(0, first, filled_));
  rows_.value.narrow(0, 0, filled_).copy_(rows.value.narrow(0, first, filled_));
}

}  // namespace galore
