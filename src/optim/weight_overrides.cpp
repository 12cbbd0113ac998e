#include "optim/weight_overrides.h"

#include "core/errors.h"
#include "optim/parameter_groups.h"
#include "optim/presets.h"

namespace galore {
namespace {

constexpr const char* kOverrides = "optim_overrides";

WeightOverride parse_one(const std::string& optim, const std::string& optim_args,
                         const std::vector<std::pair<std::string, std::string>>& defaults,
                         const std::string& text) {
  WeightOverride made;
  std::string own_optim, arguments;
  for (const auto& [key, value] : parse_pairs(kOverrides, text)) {
    const std::string name = canonical_name(key);
    if (name == "pattern") {
      made.pattern = value;
    } else if (name == "optim") {
      own_optim = value;
    } else if (name == "learning_rate_factor") {
      made.learning_rate_factor = parse_number(kOverrides, name, value);
    } else if (name == "learning_rate") {
      fail_usage(kOverrides,
                 "expected learning_rate_factor, a factor on the run's rate, given learning_rate");
    } else {
      arguments += "," + key + "=" + value;
    }
  }
  if (made.pattern.empty())
    fail_usage(kOverrides, "expected pattern=NAME or regular expression in '{}'", text);
  if (!(made.learning_rate_factor >= 0))
    fail_usage(kOverrides, "learning_rate_factor: expected 0 or more, given {}", made.learning_rate_factor);
  made.settings = own_optim.empty() ? resolve_optimizer(optim, optim_args + arguments, defaults)
                                    : resolve_optimizer(own_optim, arguments, defaults);
  return made;
}

}  // namespace

std::vector<WeightOverride> parse_overrides(const std::string& optim, const std::string& optim_args,
                                            const std::vector<std::pair<std::string, std::string>>& defaults,
                                            const std::string& text) {
  std::vector<WeightOverride> all;
  for (const std::string& one : split_list(text, ';'))
    all.push_back(parse_one(optim, optim_args, defaults, one));
  return all;
}

const WeightOverride* find_override(const OptimizerOptions& options, const Parameter& parameter) {
  const auto chosen = options.choices.find(parameter.name);
  if (chosen != options.choices.end()) {
    const std::optional<size_t> own = chosen->second.own_settings;
    return own ? &options.overrides.at(*own) : nullptr;
  }
  for (const WeightOverride& candidate : options.overrides)
    if (!candidate.pattern.empty() && matches_target(parameter, candidate.pattern)) return &candidate;
  return nullptr;
}

}  // namespace galore
