// Rotary angles with the context extensions of transformers 4.57 (modeling_rope_utils.py).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "core/memory.h"
#include "nn/rope_scaling.h"

namespace galore {

struct RotaryOptions {
  int64_t head_dim = 64;
  double theta = 10000;
  int64_t max_position_embeddings = 1024;
  RopeScaling scaling;
};

// Cosine and sine of the angles: positions x head_dim/2, fp32; with yarn they are multiplied by its attention
// factor.
struct RotaryTables {
  at::Tensor cosine, sine;
};

class RotaryEmbedding {
 public:
  // Throws Error for an unknown scaling type and for a factor below 1.
  explicit RotaryEmbedding(const RotaryOptions& options);

  // Returns the tables of positions first to first + count - 1, kept in the workspace and grown as needed.
  // "dynamic" takes its frequencies from the length of the current sequence (first + count) and, unlike
  // transformers, does not remember longer sequences.
  RotaryTables tables(int64_t first, int64_t count, Workspace& workspace);

 private:
  at::Tensor inverse_frequencies(int64_t length) const;
  double attention_factor() const;

  RotaryOptions options_;
  RotaryTables kept_;
  int64_t kept_scaling_length_ = -1;
};

}  // namespace galore
