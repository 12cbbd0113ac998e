// The weights of a model folder under llama.cpp's names and in its layout.
#pragma once

#include <vector>

#include "checkpoint/weight_files.h"
#include "export/gguf_file.h"
#include "models/model_config.h"

namespace galore {

// Returns the tensors of a model. `files` must outlive them. Matrices get the given type, or f16 where q8_0's
// blocks do not fit their rows; norms, biases, routers and tables of positions stay f32. A tied matrix is
// written once, and the experts of a layer are one tensor. A tensor without a counterpart is an Error.
std::vector<GgufTensor> gguf_weights(const WeightFiles& files, const ModelConfig& config, GgufType type);

}  // namespace galore
