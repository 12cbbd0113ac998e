// The file in a model's directory that names the layers which stand in place of matrices, so that eval,
// generate and train build the model again. Models with PEFT's adapters have PEFT's files instead.
#pragma once

#include <optional>
#include <string>

#include "core/files.h"
#include "models/trainable_model.h"

namespace galore {

inline constexpr const char* kLayerChoiceName = "galore_layers.json";

struct LayerChoice {
  std::string adapter, arguments;  // values of the options adapter and adapter_args
};

// Fills the model from the folder of a model with the same layers. Layers whose sizes change in training
// first get the sizes in the folder. Returns the note of load_weights().
std::string load_with_layers(const Path& directory, TrainableModel& model);

// Writes the file for a model whose adapter has no form in PEFT's files, and removes an old file otherwise.
void write_layer_choice(const Path& directory, const TrainableModel& model);
// Returns nothing if the directory has no such file.
std::optional<LayerChoice> read_layer_choice(const Path& directory);

}  // namespace galore
