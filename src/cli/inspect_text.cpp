#include <fmt/ranges.h>

#include <algorithm>

#include "cli/inspect.h"
#include "core/memory.h"

namespace galore {
namespace {

using OrderedJson = nlohmann::ordered_json;

// Control characters in names of unknown origin must not reach a terminal.
std::string printable(const OrderedJson& value) {
  std::string text = value.is_string() ? value.get<std::string>()
                                       : value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

void add_line(std::string& text, const std::string& name, const std::string& value) {
  text += fmt::format("{:<32} {}\n", name, value);
}

std::string totals(const OrderedJson& part) {
  std::vector<std::string> dtypes;
  for (const auto& [dtype, count] : part.at("parameters_by_dtype").items())
    dtypes.push_back(fmt::format("{} {}", count.get<int64_t>(), dtype));
  return fmt::format("{} with {} values ({}), {}", part.at("num_tensors").get<int64_t>(),
                     part.at("num_parameters").get<int64_t>(), fmt::join(dtypes, ", "),
                     format_bytes(part.at("tensor_bytes").get<double>()));
}

std::string tensor_lines(const OrderedJson& tensors) {
  size_t width = 0;
  for (const OrderedJson& tensor : tensors) width = std::max(width, printable(tensor.at("name")).size());
  std::string text;
  for (const OrderedJson& tensor : tensors)
    text += fmt::format("  {:<{}}  {:<4}  {:<20}  {}\n", printable(tensor.at("name")),
                        std::min<size_t>(width, 80), printable(tensor.at("dtype")),
                        printable(tensor.at("shape")), format_bytes(tensor.at("bytes").get<double>()));
  return text;
}

}  // namespace

std::string inspection_text(const nlohmann::ordered_json& description, bool all_tensors) {
  std::string text, tensors;
  for (const auto& [name, value] : description.items()) {
    if (name == "tensors") {
      add_line(text, "tensors", totals(description));
      if (all_tensors) tensors = tensor_lines(value);
    } else if (name == "num_tensors" || name == "num_parameters" || name == "parameters_by_dtype" ||
               name == "tensor_bytes") {
      continue;  // shown in the line "tensors"
    } else if (name == "optimizer") {
      add_line(text, "optimizer state", totals(value));
    } else if (name == "latest") {
      text += "latest checkpoint\n" + inspection_text(value, all_tensors);
    } else if (name == "config" || name == "metadata") {
      for (const auto& [key, setting] : value.items()) add_line(text, name + "." + key, printable(setting));
    } else if (name == "checkpoints") {
      for (const OrderedJson& entry : value) add_line(text, "checkpoint", printable(entry.at("path")));
    } else {
      add_line(text, name, printable(value));
    }
  }
  return text + tensors;
}

}  // namespace galore
