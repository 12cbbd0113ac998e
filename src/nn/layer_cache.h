// Keys and values of one layer and one sequence under generation.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/memory.h"
#include "nn/pass.h"

namespace galore {

// positions x K x D each.
struct KeysAndValues {
  at::Tensor key, value;
};

// Holds all positions, or with a sliding window of W the last W - 1, which is all that later tokens can see.
// Positions stay in order, so attention sums them in the same order as an unbounded cache.
class LayerCache {
 public:
  struct Size {
    int64_t max_length;  // of the whole sequence
    int64_t window;      // 0: none
    int64_t key_heads, head_dim;
  };
  LayerCache(const Size& size, at::ScalarType dtype, Ledger& ledger);

  // The positions that some new tokens see: earlier ones, and behind them their own.
  struct Seen {
    KeysAndValues rows;
    // Buffers of `rows` where the cache is too small to hold them all.
    std::optional<Scratch> key, value;
  };
  // Makes room for `count` more tokens, whose keys and values the caller writes at the end of the result.
  // The sequence may not exceed max_length.
  Seen append(int64_t count, const Pass& pass);
  // Keeps the positions that later tokens see, once the caller has written and used `seen`.
  void keep(const Seen& seen);

 private:
  int64_t capacity() const { return rows_.key.size(0); }
  void move_to_front(int64_t count);

  int64_t window_;
  KeysAndValues rows_;
  int64_t filled_ = 0;  // rows of rows_ that are taken
};

}  // namespace galore
