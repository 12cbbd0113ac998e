#include "optim/composition.h"

#include <algorithm>

#include "core/errors.h"
#include "optim/presets.h"

namespace galore {
namespace {

constexpr const char* kWhere = "optim";

struct Choice {
  std::string rule = "adamw", storage = "float32", subspace, residual = "none", limiter = "none";
};

void declare_options(OptionTable& table, Choice& choice) {
  std::vector<std::string> subspaces = subspace_names();
  subspaces.push_back("none");
  table.add("rule", &choice.rule, "how gradients become directions").choices(rule_names());
  table.add("storage", &choice.storage, "of the moments").choices({"float32", "blockwise_8bit"});
  table.add("subspace", &choice.subspace, "inside what the rule works").choices(subspaces);
  table.add("residual", &choice.residual, "what is made of the gradient outside the subspace")
      .choices({"none", "scaled", "sign", "gradient"});
  table.add("limiter", &choice.limiter, "what is limited").choices({"none", "norm_growth", "spike_clip"});
}

using Items = std::vector<std::pair<std::string, std::string>>;

// The keys above go into `choice`, the others come back.
Items choose(const std::string& text, Choice& choice) {
  OptionTable table;
  declare_options(table, choice);
  Items rest;
  for (const std::string& item : split_list(text)) {
    const size_t equals = item.find('=');
    if (equals == std::string::npos) fail_usage(kWhere, "expected name=value, given '{}'", item);
    const std::string key = canonical_name(item.substr(0, equals)), value = item.substr(equals + 1);
    table.find(key) ? table.set(kWhere, key, value) : void(rest.emplace_back(key, value));
  }
  const bool has_rank =
      std::any_of(rest.begin(), rest.end(), [](const auto& item) { return item.first == "rank"; });
  if (choice.subspace.empty()) choice.subspace = has_rank || choice.residual != "none" ? "warm" : "none";
  return rest;
}

void refuse_what_means_nothing(const Choice& choice) {
  const bool scales = choice.residual == "scaled" || choice.residual == "gradient";
  if (choice.subspace == "none" && choice.residual != "none")
    fail_usage(kWhere, "residual={}: expected a subspace, outside of which there is a residual; given none",
               choice.residual);
  if (choice.limiter == "norm_growth" && !scales)
    fail_usage(kWhere,
               "limiter=norm_growth limits a scaled residual: expected residual=scaled or gradient, given {}",
               choice.residual);
  if (choice.limiter == "spike_clip" && choice.rule != "adamw" && choice.rule != "rms_prop")
    fail_usage(kWhere,
               "limiter=spike_clip compares with a second moment of every element, which {} does not keep: "
               "expected rule=adamw or rms_prop",
               choice.rule);
  if (choice.storage == "blockwise_8bit" && choice.rule == "adafactor")
    fail_usage(kWhere, "storage=blockwise_8bit: adafactor keeps row and column means, which stay in fp32");
}

// Of these presets the method is taken, with its defaults.
const char* preset_with(const std::string& residual) {
  if (residual == "scaled") return "fira_adamw";
  if (residual == "sign") return "frugal_adamw";
  return residual == "gradient" ? "apollo_adamw" : "galore_adamw";
}

}  // namespace

bool is_composition(const std::string& optim) { return optim.find('=') != std::string::npos; }

OptimizerSettings compose(const std::string& text,
                          const std::vector<std::pair<std::string, std::string>>& defaults) {
  Choice choice;
  const Items rest = choose(text, choice);
  refuse_what_means_nothing(choice);
  OptimizerSettings settings;
  settings.preset = text;
  settings.rule = choice.rule;
  settings.storage.storage = choice.storage;
  if (choice.subspace != "none") {
    settings.method = find_preset(preset_with(choice.residual)).settings().method;
    settings.subspace.subspace = choice.subspace;
  }
  if (choice.limiter == "spike_clip") settings.spam.emplace();
  OptionTable table;
  declare_options(table, settings);
  for (const auto& [key, value] : defaults)
    if (table.find(key)) table.set("configuration", key, value);
  if (table.find("limiter")) table.set(kWhere, "limiter", choice.limiter == "norm_growth" ? "1.01" : "0");
  for (const auto& [key, value] : rest) table.set(kWhere, key, value);
  return settings;
}

}  // namespace galore
