// The architectures, by the checkpoints' model_type; each plan stands in a file of that name.
#pragma once

#include <string>
#include <vector>

#include "models/decoder.h"

namespace galore {

DecoderPlan llama_plan(const ModelConfig& config);
DecoderPlan mistral_plan(const ModelConfig& config);
DecoderPlan qwen2_plan(const ModelConfig& config);
DecoderPlan qwen3_plan(const ModelConfig& config);
DecoderPlan gpt2_plan(const ModelConfig& config);

// Layers of this size, each with the window that the configuration has for it.
DecoderPlan plan_with_windows(const DecoderSize& size, const ModelConfig& config);

// An unknown name is an Error that lists the known ones.
DecoderPlan plan_of(const ModelConfig& config);
std::vector<std::string> architecture_names();

}  // namespace galore
