// Rotary angles with the context extensions of transformers (modeling_rope_utils.py).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "core/memory.h"
#include "kernels/rotary.h"
#include "nn/rope_scaling.h"

namespace galore {

struct RotaryOptions {
  int64_t head_dim = 64;  // features of a head that are rotated
  double theta = 10000;
  int64_t max_position_embeddings = 1024;
  RopeScaling scaling;
  RotaryPairs pairs = RotaryPairs::halves;
};

// Cosine and sine of the angles: positions x head_dim/2, fp32; with yarn
// or longrope they are multiplied by its attention factor.
struct RotaryTables {
  at::Tensor cosine, sine;
  RotaryPairs pairs = RotaryPairs::halves;
};

class RotaryEmbedding {
 public:
  // Throws Error for an unknown scaling type and for a factor below 1. `name` tells the buffers of several
  // embeddings apart.
  explicit RotaryEmbedding(const RotaryOptions& options, std::string name = "rotary");

  // Returns the tables of positions first to first + count - 1, kept in the workspace and grown as needed.
  // "dynamic" takes its frequencies from the length of the current sequence (first + count) and, unlike
  // transformers, does not remember longer sequences.
  RotaryTables tables(int64_t first, int64_t count, Workspace& workspace);
  // Returns true if a sequence of `longer` tokens needs other angles for its first `length` positions than a
  // sequence of `length` tokens, so that keys in a cache are out of date (longrope).
  bool changes_between(int64_t length, int64_t longer) const;

 private:
  at::Tensor inverse_frequencies(int64_t length) const;
  // Returns a number that is equal for sequences with equal angles.
  int64_t scaling_length(int64_t length) const;
  double attention_factor() const;

  RotaryOptions options_;
  std::string name_;
  RotaryTables kept_;
  int64_t kept_scaling_length_ = -1;
};

}  // namespace galore
