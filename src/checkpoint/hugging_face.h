// Model folders of transformers: config.json, generation_config.json and model.safetensors (or shards with
// model.safetensors.index.json), read and written so that either side can load the other's.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "core/files.h"
#include "core/parameter.h"
#include "models/model_config.h"

namespace galore {

// `source`: a config.json, or a folder that holds one. Keys that are missing have transformers' defaults. An
// Error names the key: an unknown model_type, a value outside its range, and a setting that would change the
// mathematics and is not supported (another activation, quantization, ...). Other unknown keys are ignored.
ModelConfig read_model_config(const Path& source);
// The configuration from the text of a config.json; `where` names the text in messages.
ModelConfig parse_model_config(const std::string& where, const std::string& text);
// The text of config.json; `dtype` becomes "torch_dtype". Keys of `config.source` that we do not compute with
// are kept.
std::string model_config_text(const ModelConfig& config, at::ScalarType dtype);
// The text of generation_config.json: the text that was read, with the configuration's token ids.
std::string generation_config_text(const ModelConfig& config);

// Fills every parameter from the folder's weights, converting F64, F32, BF16 and F16 to the parameter's
// dtype, or coding them; buffers of a few MB are all the extra memory. Names may lack the leading "model." (a
// headless save). A parameter without tensor, a tensor without parameter and a wrong shape are Errors that
// name them. Allowed without a parameter: "lm_head.weight" when the head is tied, and the rotary tables old
// files carry.
void load_weights(const Path& directory, const ParameterList& parameters);
inline constexpr uint64_t kShardBytes = 5'000'000'000;  // transformers' max_shard_size

// Writes a folder that transformers loads; creates it if need be. All weights are on disk under temporary
// names before the first file changes, and config.json comes last, so a full disk leaves an older model in
// place and a folder without config.json is unfinished. Weight files of an older save are removed.
void save_model(const Path& directory, const ModelConfig& config, const ParameterList& parameters,
                at::ScalarType dtype, uint64_t shard_bytes = kShardBytes);

}  // namespace galore
