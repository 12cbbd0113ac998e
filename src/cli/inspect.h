// Describes files and folders as JSON, which `galore info` prints.
#pragma once

#include <nlohmann/json.hpp>

#include "core/files.h"

namespace galore {

// The key "kind" is "model", "run", "safetensors", "config" or "tokens"; the other keys depend on it.
nlohmann::ordered_json inspect(const Path& path);
// Formats the description for people: a few lines and, with `all_tensors`, one line for each tensor.
std::string inspection_text(const nlohmann::ordered_json& description, bool all_tensors);

}  // namespace galore
