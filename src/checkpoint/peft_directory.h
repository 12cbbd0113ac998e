// Reads and writes PEFT's directories of adapters: adapter_config.json and adapter_model.safetensors.
#pragma once

#include <string>

#include "adapters/adapted_layers.h"
#include "core/files.h"
#include "models/trainable_model.h"

namespace galore {

inline constexpr const char* kAdapterConfigName = "adapter_config.json";
inline constexpr const char* kAdapterWeightsName = "adapter_model.safetensors";

// Returns true if the folder holds an adapter and no weights of a model. It may hold a config.json, which
// tells the adapter's head.
bool is_adapter_directory(const Path& directory);
// Returns true if the model has an adapter with a form in PEFT's files.
bool has_peft_adapter(const TrainableModel& model);

// Reads adapter_config.json. A folder without it is an Error.
Adapter::Json read_adapter_config(const Path& directory);
// Returns the head that a model gets from the adapter: `own`, or the one that scores rows in the adapter's
// config.json. Without such a file, an adapter with task_type SEQ_CLS has a classifier, for a model that
// predicts tokens.
HeadConfig head_with_adapter(const Path& directory, const HeadConfig& own);
// Fills the trained parameters of an adapted model. A tensor that is missing, unknown or of another shape is
// an Error that names it. A pickle (adapter_model.bin) is never opened.
void load_adapter(const Path& directory, TrainableModel& model);
// Writes the trained parameters and the configuration, and a config.json if the head scores rows. `base`
// becomes base_model_name_or_path unless the configuration that was read names a model. Parts of the head
// that `base` lacks are written even if they are not trained, because they were drawn. A model of an earlier
// run in this folder is removed.
void save_adapter(const Path& directory, TrainableModel& model, const std::string& base);

// Writes the model directory `output` with the adapter folded in. It has the files of `base` with the same
// tensor names and dtypes; tensors that the adapter does not change are copied byte for byte. `model` has the
// weights of both.
void merge_adapter(const Path& base, const Path& output, TrainableModel& model);

}  // namespace galore
