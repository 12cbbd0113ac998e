#include "core/file_kinds.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

namespace galore {
namespace {

// Returns true for "name" and "owner/name" in the characters that the hub allows.
bool looks_like_hub_name(const std::string& name) {
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_'; };
  const auto part = [&](const std::string& text) {
    return !text.empty() && text[0] != '.' && std::all_of(text.begin(), text.end(), is_plain);
  };
  const size_t slash = name.find('/');
  if (name.ends_with(".json") || name.ends_with(".model")) return false;
  return slash == std::string::npos ? part(name)
                                    : part(name.substr(0, slash)) && part(name.substr(slash + 1));
}

}  // namespace

std::string lfs_pointer(std::string_view beginning) {
  if (!beginning.starts_with("version https://git-lfs")) return "";
  return "the file is a Git LFS pointer, which stands for the file itself: run 'git lfs pull' in its folder";
}

std::string misplaced_file(std::string_view beginning) {
  if (const std::string pointer = lfs_pointer(beginning); !pointer.empty()) return pointer;
  const size_t first = beginning.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && beginning[first] == '<')
    return "the file is a page of HTML or XML, such as a server sends instead of the file: download it again";
  if (beginning.starts_with("PK"))
    return "the file is a zip archive, as PyTorch writes its .bin and .pt files: save it as safetensors "
           "(save_pretrained of transformers)";
  return "";
}

std::string missing_folder(const std::string& name) {
  const std::string missing = "no such file or folder: " + name;
  if (!looks_like_hub_name(name)) return missing;
  return fmt::format(
      "{}; models of the Hugging Face hub are not fetched: run 'hf download {} --local-dir DIR' and give DIR",
      missing, name);
}

}  // namespace galore
