// How config.json stretches rotary positions.
#pragma once

#include <cstdint>
#include <string>

namespace galore {

// rope_scaling of transformers: rescales the rotary frequencies for contexts longer than those of training.
struct RopeScaling {
  std::string type = "default";  // default, linear, dynamic, llama3, yarn
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  int64_t original_max_position_embeddings = 0;      // llama3, yarn; 0: max_position_embeddings
  // yarn (Peng et al., 2023): between beta_fast and beta_slow rotations over the original context,
  // frequencies change from unscaled to scaled. An attention_factor of 0 means transformers' value: 0.1
  // ln(factor) + 1, or a function of mscale and mscale_all_dim.
  double beta_fast = 32, beta_slow = 1, attention_factor = 0, mscale = 0, mscale_all_dim = 0;
  bool truncate = true;  // round the bounds of this range to whole dimensions
};

}  // namespace galore
