#include "optim/parameter_groups.h"

#include <algorithm>
#include <regex>
#include <set>

#include "core/errors.h"

namespace galore {
namespace {

const std::vector<std::string> kDefaultTargets{"all-linear"};

std::string module_name(const std::string& parameter) {
  const std::string suffix = ".weight";
  return parameter.ends_with(suffix) ? parameter.substr(0, parameter.size() - suffix.size()) : parameter;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

bool matches_target(const Parameter& parameter, const std::string& target) {
  if (target == "all-linear" || target == "all_linear") return parameter.role == Role::matrix;
  const std::string module = module_name(parameter.name);
  if (contains(module, target)) return true;
  try {
    return std::regex_match(module, std::regex(target));
  } catch (const std::regex_error& error) {
    fail_usage("optim_target_modules", "'{}' matches no module name and is no regular expression: {}", target,
               error.what());
  }
}

bool is_targeted(const Parameter& parameter, const std::vector<std::string>& targets) {
  const auto& all = targets.empty() ? kDefaultTargets : targets;
  return std::any_of(all.begin(), all.end(),
                     [&](const std::string& target) { return matches_target(parameter, target); });
}

int64_t count_layers(const ParameterList& parameters) {
  std::set<int64_t> layers;
  for (const Parameter* parameter : parameters) layers.insert(parameter->layer);
  return static_cast<int64_t>(layers.size() - layers.count(-1));
}

std::string name_in_any_layer(const std::string& name, int64_t layer) {
  const std::string number = "." + std::to_string(layer) + ".";
  const size_t at = name.find(number);
  return layer < 0 || at == std::string::npos ? name : std::string(name).replace(at, number.size(), ".*.");
}

std::vector<int64_t> matrix_sizes(const Parameter& parameter) {
  const at::IntArrayRef sizes = parameter.sizes();
  if (sizes.size() <= 2) return sizes.vec();
  return {sizes[0], c10::multiply_integers(sizes.slice(1))};
}

at::Tensor matrix_of(const Parameter& parameter) { return parameter.value.view(matrix_sizes(parameter)); }

bool is_matrix(const Parameter& parameter) { return parameter.sizes().size() >= 2; }

Grouping group_parameters(const ParameterList& parameters, const std::vector<std::string>& given) {
  const std::vector<std::string>& targets = given.empty() ? kDefaultTargets : given;
  std::vector<int64_t> hits(targets.size(), 0);
  Grouping grouping;
  int64_t num_projected = 0, elements = 0, all_elements = 0;
  for (const Parameter* parameter : parameters) {
    bool projected = false;
    for (size_t i = 0; i < targets.size() && is_matrix(*parameter); ++i) {
      if (!matches_target(*parameter, targets[i])) continue;
      projected = true;
      ++hits[i];
    }
    grouping.projected.push_back(projected);
    num_projected += projected;
    all_elements += parameter->numel();
    if (projected) elements += parameter->numel();
  }
  for (size_t i = 0; i < targets.size(); ++i)
    if (hits[i] == 0) grouping.unmatched.push_back(targets[i]);
  grouping.summary = fmt::format(
      "{} of {} parameters are projected ({:.2f}M of {:.2f}M elements); the others get the rule alone",
      num_projected, parameters.size(), static_cast<double>(elements) / 1e6,
      static_cast<double>(all_elements) / 1e6);
  return grouping;
}

}  // namespace galore
