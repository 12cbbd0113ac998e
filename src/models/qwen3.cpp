// Qwen3 (Yang et al., 2025): LLaMA whose queries and keys are normalized, each head by itself, and perhaps a
// window in some layers.
#include "models/architectures.h"

namespace galore {

DecoderPlan qwen3_plan(const ModelConfig& c) {
  DecoderSize size = llama_plan(c).layer(0);
  size.attention.head_norms = true;
  return plan_with_windows(size, c);
}

}  // namespace galore
