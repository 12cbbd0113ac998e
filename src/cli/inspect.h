// Descriptions of files and folders, as JSON; `galore info` prints them.
#pragma once

#include <nlohmann/json.hpp>

#include "core/files.h"

namespace galore {

// "kind" tells what it is: "model", "run", "safetensors", "config" or "tokens"; the other keys depend on it.
nlohmann::ordered_json inspect(const Path& path);
// For people: a few lines, and with `all_tensors` one per tensor.
std::string inspection_text(const nlohmann::ordered_json& description, bool all_tensors);

}  // namespace galore
