// Qwen2 and Qwen2.5 (Yang et al., 2024): LLaMA with biases of queries, keys and values, and perhaps a window
// in some layers.
#include "models/architectures.h"

namespace galore {

DecoderPlan qwen2_plan(const ModelConfig& c) {
  DecoderSize size = llama_plan(c).layer(0);
  size.attention.bias = true;
  size.attention.output_bias = false;
  return plan_with_windows(size, c);
}

}  // namespace galore
