// Keys and values of one layer and one sequence under generation.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"
#include "nn/pass.h"

namespace galore {

// positions x K x D each.
struct KeysAndValues {
  at::Tensor key, value;
};

// Where a layer has a window of W positions, the last W - 1 of those that were appended: no later token sees
// more. In their order, so that sums over them are those of a cache that holds everything, bit for bit.
class LayerCache {
 public:
  struct Size {
    int64_t max_length;  // of the whole sequence
    int64_t window;      // 0: none
    int64_t key_heads, head_dim;
  };
  LayerCache(const Size& size, at::ScalarType dtype, Ledger& ledger);

  // What `count` more tokens see: earlier positions and, behind them, their own, which are to be written.
  // Together they may exceed no max_length.
  KeysAndValues append(int64_t count, const Pass& pass);
  // Once `seen`, append()'s result, is written and has been used.
  void keep(const KeysAndValues& seen);

 private:
  int64_t capacity() const { return rows_.key.size(0); }
  void move_to_front(int64_t count);

  int64_t window_;
  KeysAndValues rows_;
  int64_t filled_ = 0;      // rows of rows_ that are taken
  bool elsewhere_ = false;  // the last append() gave out scratch
};

}  // namespace galore
