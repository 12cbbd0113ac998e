// Qwen3 (Yang et al., 2025): LLaMA whose queries and keys are normalized, each head by itself, and perhaps a
// window in some layers.
#include "models/architectures.h"

namespace galore {

DecoderPlan qwen3_plan(const ModelConfig& c) {
  DecoderSize size = llama_plan(c).layer(0);
  size.attention.head_norms = true;
  DecoderPlan plan;
  plan.layer = [size, c](int64_t layer) {
    DecoderSize windowed = size;
    windowed.attention.window = c.window_of_layer(layer);
    return windowed;
  };
  return plan;
}

}  // namespace galore
