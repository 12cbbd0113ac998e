// Keys and values of one layer and one sequence during generation.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/memory.h"
#include "nn/pass.h"

namespace galore {

// Keys and values, each positions x K x D.
struct KeysAndValues {
  at::Tensor key, value;
};

// Holds all positions or, with a sliding window of W, the last W - 1, because later tokens see no others.
// Positions stay in order, so attention sums them in the same order as with an unbounded cache.
class LayerCache {
 public:
  struct Size {
    int64_t max_length;  // of the whole sequence
    int64_t window;      // 0: no window
    int64_t key_heads, head_dim;
  };
  LayerCache(const Size& size, at::ScalarType dtype, Ledger& ledger);

  // The positions that new tokens see: earlier positions, followed by the tokens' own.
  struct Seen {
    KeysAndValues rows;
    // Buffers of `rows` if the cache is too small for all of them.
    std::optional<Scratch> key, value;
  };
  // Makes room for `count` more tokens. The caller writes their keys and values at the end of the result. The
  // sequence may not exceed max_length.
  Seen append(int64_t count, const Pass& pass);
  // Keeps the positions that later tokens see. Call it after writing and using `seen`.
  void keep(const Seen& seen);
  // Forgets all positions.
  void clear() { filled_ = 0; }

 private:
  int64_t capacity() const { return rows_.key.size(0); }
  void move_to_front(int64_t count);

  int64_t window_;
  KeysAndValues rows_;
  int64_t filled_ = 0;  // number of rows of rows_ in use
};

}  // namespace galore
