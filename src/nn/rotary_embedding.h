// Rotary angles with the context extensions of transformers 4.57 (modeling_rope_utils.py).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "core/memory.h"

namespace galore {

// rope_scaling of transformers: rescales the rotary frequencies for contexts longer than those trained on.
struct RopeScaling {
  std::string type = "default";  // default, linear, dynamic, llama3, yarn
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  int64_t original_max_position_embeddings = 0;      // llama3, yarn; 0: max_position_embeddings
  // yarn (Peng et al., 2023): between beta_fast and beta_slow turns over the original context, frequencies go
  // from unscaled to scaled. 0: transformers' attention factor, 0.1 ln(factor) + 1, or by the two mscale.
  double beta_fast = 32, beta_slow = 1, attention_factor = 0, mscale = 0, mscale_all_dim = 0;
  bool truncate = true;  // the bounds of that range are whole dimensions
};

struct RotaryOptions {
  int64_t head_dim = 64;
  double theta = 10000;
  int64_t max_position_embeddings = 1024;
  RopeScaling scaling;
};

// cosine and sine of the angles: positions x head_dim/2, fp32; with yarn, times its attention factor.
struct RotaryTables {
  at::Tensor cosine, sine;
};

class RotaryEmbedding {
 public:
  // An unknown scaling type or a factor below 1 is an Error.
  explicit RotaryEmbedding(const RotaryOptions& options);

  // Of positions first to first + count - 1, kept in the workspace and grown as needed. "dynamic" takes its
  // frequencies from the length of the sequence at hand (first + count) and, unlike transformers, does not
  // remember longer sequences seen before.
  RotaryTables tables(int64_t first, int64_t count, Workspace& workspace);

 private:
  at::Tensor inverse_frequencies(int64_t length) const;
  double attention_factor() const;

  RotaryOptions options_;
  RotaryTables kept_;
  int64_t kept_scaling_length_ = -1;
};

}  // namespace galore
