// Parses the JSON header of a safetensors file. Each token is checked while it is parsed, and no JSON tree is
// built.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"

namespace galore {

struct HeaderEntry {
  std::string name, dtype;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> data_offsets;  // begin and end, counted from the end of the header
};

struct SafetensorsHeader {
  std::vector<HeaderEntry> entries;  // in the header's order; names are unique
  std::map<std::string, std::string> metadata;
};

// `file` names the file in messages. Any structure but the format's own is an Error.
SafetensorsHeader parse_safetensors_header(const std::string& file, const std::string& text);

// Returns the element type of a dtype name. An unknown name is an Error.
at::ScalarType safetensors_dtype(const std::string& file, const HeaderEntry& entry);

// Returns a name from a file of unknown origin, quoted and shortened for messages.
std::string quoted_name(const std::string& name);
// Returns the first five names, quoted, and the number of the others.
std::string first_names(const std::vector<std::string>& names);

}  // namespace galore
