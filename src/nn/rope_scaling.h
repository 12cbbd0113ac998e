// How config.json stretches rotary positions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace galore {

// rope_scaling of transformers: rescales the rotary frequencies for contexts longer than those of training.
struct RopeScaling {
  std::string type = "default";  // default, linear, dynamic, llama3, yarn, longrope
  double factor = 1;  // longrope takes 0 for max_position_embeddings / original_max_position_embeddings
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  int64_t original_max_position_embeddings = 0;      // llama3, yarn, longrope; 0: max_position_embeddings
  // yarn (Peng et al., 2023): between beta_fast and beta_slow rotations over the original context,
  // frequencies change from unscaled to scaled. An attention_factor of 0 means transformers' value: 0.1
  // ln(factor) + 1, or a function of mscale and mscale_all_dim. longrope takes attention_factor, too.
  double beta_fast = 32, beta_slow = 1, attention_factor = 0, mscale = 0, mscale_all_dim = 0;
  bool truncate = true;  // round the bounds of this range to whole dimensions
  // longrope (Ding et al., 2024): each frequency is divided by a factor of its own, from the second list when
  // a sequence is longer than the original context.
  std::vector<double> short_factor = {}, long_factor = {};
};

}  // namespace galore
