#include "cli/info_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/arguments.h"
#include "cli/inspect.h"
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
  bool json = false, tensors = true;
  OptionTable table;
  table.add("path", &path, "a folder, or a .safetensors, .bin or config .json file; --path may be left out");
  table.add("json", &json, "print one JSON object");
  table.add("tensors", &tensors, "list every tensor");
  if (!parse_arguments("info", table, rest)) return 0;
  if (path.empty()) fail_usage("info", "expected the path of a folder or a file: galore info PATH");
  const auto description = inspect(path);
  const std::string text =
      json ? description.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n"
           : inspection_text(description, tensors);
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace galore
