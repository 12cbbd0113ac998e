// Converts between RopeScaling and the keys of config.json: rope_scaling (transformers 4) and rope_parameters
// (transformers 5).
#pragma once

#include <string>

#include "checkpoint/json_file.h"
#include "nn/rotary_embedding.h"

namespace galore {

// Reads a scaling. Keys that are not about it are ignored. Kinds and settings that we cannot compute are
// Errors that name them.
RopeScaling parse_rope(const std::string& where, const Json& rope);
// Returns null when there is no scaling.
Json rope_json(const RopeScaling& scaling, int64_t max_position_embeddings);

// Formats a value for messages.
std::string shown(const Json& value);

}  // namespace galore
