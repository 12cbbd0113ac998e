// Reads and writes model folders of transformers: config.json, generation_config.json and model.safetensors
// (or shards with model.safetensors.index.json). Either program can load the other's folders.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "core/files.h"
#include "core/parameter.h"
#include "models/model_config.h"

namespace galore {

// Reads the configuration from `source`, which is a config.json or a folder with one. If the folder's weights
// hold a head and an embedding that differ, the configuration does not tie them. Missing keys get
// transformers' defaults. An Error names the key if model_type is unknown, a value is outside its range, or a
// setting that is not supported would change the mathematics (another activation, quantization, ...). Other
// unknown keys are ignored.
ModelConfig read_model_config(const Path& source);
// Reads the configuration from the text of a config.json. Messages call the text `where`.
ModelConfig parse_model_config(const std::string& where, const std::string& text);
// Returns the text of config.json, in which `dtype` is "torch_dtype". Keys of `config.source` that have no
// counterpart in ModelConfig are kept.
std::string model_config_text(const ModelConfig& config, at::ScalarType dtype);
// Returns the text of generation_config.json: the text that was read, with the configuration's token ids.
std::string generation_config_text(const ModelConfig& config);

// Fills every parameter from the folder's weights. Converts F64, F32, BF16 and F16 to the parameter's dtype,
// or quantizes them; the only additional memory is buffers of a few MB. Names may lack the leading "model."
// (a headless save). A parameter without tensor, a tensor without parameter and a wrong shape are Errors that
// name them. The weights of a head with Parameter::of_new_head may be missing; they keep their values, and
// the note names them. Allowed without a parameter are the heads of encoders for other tasks, a head that
// equals the embedding to which the model ties it, a language head when the model scores rows, the rotary
// tables of old files, and the other parts of a multimodal model. Of a tied model the head alone may be
// stored.
//
// If `rows` is add, the tables of token embeddings and the head may have more rows than the files; the new
// rows are the mean of those in the files. Returns a note for the user, or "".
enum class TableRows { as_stored, add };
std::string load_weights(const Path& directory, const ParameterList& parameters,
                         TableRows rows = TableRows::as_stored);
inline constexpr uint64_t kShardBytes = 5'000'000'000;  // transformers' max_shard_size

// Writes a folder that transformers loads, and creates it if necessary. All weights are on disk under
// temporary names before the first file changes, and config.json comes last. So a full disk leaves an older
// model in place, and a folder without config.json is unfinished. Weight files of an older save, of
// other formats and of adapters are removed.
void save_model(const Path& directory, const ModelConfig& config, const ParameterList& parameters,
                at::ScalarType dtype, uint64_t shard_bytes = kShardBytes);

}  // namespace galore
