#include "cli/info_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/arguments.h"
#include "cli/inspect.h"
#include "cli/kernel_table.h"
#include "core/errors.h"
#include "core/options.h"

namespace galore {

namespace {

// Returns true when the argument is neither an option nor an option's value.
bool is_path(const std::string& argument) {
  if (argument.empty() || argument.front() == '-') return false;
  if (std::filesystem::exists(argument)) return true;
  return argument.find('=') == std::string::npos && argument != "true" && argument != "false";
}

}  // namespace

int info_command(const Arguments& arguments) {
  std::string path;
  Arguments rest = arguments;
  const auto found = std::find_if(rest.words.begin(), rest.words.end(), is_path);
  if (found != rest.words.end()) {
    path = *found;
    rest.words.erase(found);
  }
  bool json = false, tensors = true, kernels = false;
  OptionTable table;
  table.add("path", &path, "a folder, or a .safetensors, .bin or config .json file; --path may be left out");
  table.add("json", &json, "print one JSON object");
  table.add("tensors", &tensors, "list every tensor");
  table.add("kernels", &kernels,
            "list the operations and the version that each uses on this machine; without a path");
  if (!parse_arguments("info", table, rest)) return 0;
  if (kernels && !path.empty()) fail_usage("info", "expected --kernels or a path, given both");
  if (path.empty() && !kernels)
    fail_usage("info", "expected the path of a folder or a file, or --kernels: galore info PATH");
  const auto description = kernels ? kernel_table() : inspect(path);
  if (json) {
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    std::puts(description.dump(-1, ' ', false, replace).c_str());
  } else {
    const std::string text = kernels ? kernel_table_text(description) : inspection_text(description, tensors);
    std::fputs(text.c_str(), stdout);
  }
  return 0;
}

}  // namespace galore
