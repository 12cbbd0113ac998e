// The number format of a model's frozen matrices, with the option names of other programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/group_quantized.h"

namespace galore {

class OptionTable;

struct BaseQuantization {
  std::string quantization = "none";  // none, nf4 or int8

  // Names of other programs; resolve_quantization() puts them into the option above.
  std::string quantization_bit, quantization_type;
  bool load_in_4bit = false, load_in_8bit = false, double_quantization = true;
};

void declare_quantization(OptionTable& table, BaseQuantization& options);
// Turns the names of other programs into ours and notes it. Contradictions and formats that we lack are
// UsageErrors.
void resolve_quantization(BaseQuantization& options, std::vector<std::string>& notes);
// Returns the format of the matrices inside the layers, or nothing if they are not quantized.
std::optional<GroupFormat> base_format(const BaseQuantization& options);

}  // namespace galore
