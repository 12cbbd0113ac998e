// Mistral (Jiang et al., 2023): LLaMA without biases, every layer of which sees a window of the last tokens.
#include "models/architectures.h"

namespace galore {

DecoderPlan mistral_plan(const ModelConfig& c) {
  DecoderSize size = llama_plan(c).layer(0);
  size.attention.window = c.sliding_window.value_or(0);
  DecoderPlan plan;
  plan.layer = [size](int64_t) { return size; };
  return plan;
}

}  // namespace galore
