// rope_scaling (transformers 4) or rope_parameters (5) of config.json <-> RopeScaling.
#pragma once

#include <string>

#include "checkpoint/json_file.h"
#include "nn/rotary_embedding.h"

namespace galore {

// Kinds and settings that cannot be computed are Errors that name them.
RopeScaling parse_rope(const std::string& where, const Json& rope);
// null where nothing is scaled.
Json rope_json(const RopeScaling& scaling, int64_t max_position_embeddings);

// A value as it is shown in messages.
std::string shown(const Json& value);

}  // namespace galore
