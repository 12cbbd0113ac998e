// The JSON header of a safetensors file, checked word by word while it is parsed; no tree is ever built.
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
  std::vector<uint64_t> data_offsets;  // begin and end, from the end of the header
};

struct SafetensorsHeader {
  std::vector<HeaderEntry> entries;  // in the header's order; names are unique
  std::map<std::string, std::string> metadata;
};

// `file` names the file in messages. Anything but the format's own structure is an Error.
SafetensorsHeader parse_safetensors_header(const std::string& file, const std::string& text);

// The element type of a dtype name; an unknown one is an Error.
at::ScalarType safetensors_dtype(const std::string& file, const HeaderEntry& entry);

// A name from a foreign file, shortened for messages.
std::string quoted_name(const std::string& name);
// The first five, quoted, and how many more there are.
std::string first_names(const std::vector<std::string>& names);

}  // namespace galore
