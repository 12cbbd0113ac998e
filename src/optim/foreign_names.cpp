#include "optim/foreign_names.h"

#include <regex>

namespace galore {

Role role_by_name(const std::string& name, int64_t dimensions) {
  const auto contains = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (contains("embed") || contains("wte") || contains("wpe")) return Role::embedding;
  if (contains("lm_head")) return Role::head;
  if (name.ends_with(".bias")) return Role::bias;
  return dimensions < 2 ? Role::norm : Role::matrix;
}

int64_t layer_by_name(const std::string& name) {
  static const std::regex pattern(R"((?:^|\.)(?:layers?|h)\.(\d{1,9})\.)");
  std::smatch found;
  return std::regex_search(name, found, pattern) ? std::stoll(found[1]) : -1;
}

const std::vector<std::string>& default_targets_by_name() {
  static const std::vector<std::string> targets{"attn", "mlp"};
  return targets;
}

}  // namespace galore
