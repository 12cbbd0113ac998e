#include "train/base_quantization.h"

#include <fmt/core.h>

#include "core/errors.h"
#include "core/options.h"
#include "kernels/normal_float.h"

namespace galore {
namespace {

void choose(BaseQuantization& o, const char* option, const std::string& format,
            std::vector<std::string>& notes) {
  if (o.quantization != "none" && o.quantization != format)
    fail_usage(option, "expected quantization={}, given {}", format, o.quantization);
  o.quantization = format;
  notes.push_back(fmt::format("{} is taken as quantization={}", option, format));
}

}  // namespace

void declare_quantization(OptionTable& table, BaseQuantization& o) {
  table
      .add(
          "quantization", &o.quantization,
          "number format of the frozen matrices in memory: nf4 (QLoRA: 4 bits, with scales in 8 bits), int8, "
          "none: dtype; training needs an adapter")
      .choices({"none", "nf4", "int8"});
  table.add("quantization_bit", &o.quantization_bit, "4: the same as quantization=nf4, 8: int8");
  table.add("load_in_4bit", &o.load_in_4bit, "the same as quantization=nf4");
  table.add("load_in_8bit", &o.load_in_8bit, "the same as quantization=int8");
  table.add("quantization_type", &o.quantization_type, "nf4: the one kind of 4 bits")
      .alias("bnb_4bit_quant_type");
  table.add("double_quantization", &o.double_quantization, "true: the scales of nf4 are always in 8 bits")
      .alias("bnb_4bit_use_double_quant");
}

void resolve_quantization(BaseQuantization& o, std::vector<std::string>& notes) {
  if (o.load_in_4bit) choose(o, "load_in_4bit", "nf4", notes);
  if (o.load_in_8bit) choose(o, "load_in_8bit", "int8", notes);
  const std::string& bits = o.quantization_bit;
  if (bits == "4") choose(o, "quantization_bit", "nf4", notes);
  if (bits == "8") choose(o, "quantization_bit", "int8", notes);
  if (bits != "" && bits != "4" && bits != "8" && bits != "null")
    fail_usage("quantization_bit", "expected 4 or 8, given '{}'", bits);
  if (!o.quantization_type.empty() && o.quantization_type != "nf4")
    fail_usage("quantization_type", "expected nf4, given '{}'", o.quantization_type);
  if (!o.double_quantization)
    fail_usage("double_quantization", "expected true: the scales of nf4 are always kept in 8 bits");
  o.quantization_bit.clear();
  o.quantization_type.clear();
  o.load_in_4bit = o.load_in_8bit = false;
}

std::optional<GroupFormat> base_format(const BaseQuantization& o) {
  if (o.quantization == "none") return std::nullopt;
  GroupFormat format;
  if (o.quantization == "nf4") format = kernels::kNormalFloat;
  format.fixed = true;
  return format;
}

}  // namespace galore
