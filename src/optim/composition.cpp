#include "optim/composition.h"

#include <algorithm>

#include "core/errors.h"
#include "optim/presets.h"
#include "optim/subspaces/basis_kind.h"
#include "optim/update_rules/adamw.h"

namespace galore {
namespace {

constexpr const char* kWhere = "optim";
// The smallest epsilon with an 8-bit second moment, unless another is given: when the moment rounds to 0,
// only epsilon divides. Muon's 1e-10 (for embedding and head) diverges, while the 1e-8 of 8-bit AdamW does
// not (docs/log.md).
constexpr double kLeastEpsilon = 1e-8;

struct Choice {
  std::string method, rule = "adamw", storage = "float32", subspace, residual = "none", limiter = "none";
};

void declare_options(OptionTable& table, Choice& choice) {
  std::vector<std::string> subspaces = subspace_names();
  subspaces.push_back("none");
  table.add("method", &choice.method, "a named optimizer instead of the parts");
  table.add("rule", &choice.rule, "how gradients become directions").choices(rule_names());
  table.add("storage", &choice.storage, "of the moments").choices({"float32", "blockwise_8bit"});
  table.add("subspace", &choice.subspace, "inside what the rule works").choices(subspaces);
  table.add("residual", &choice.residual, "what is made of the gradient outside the subspace")
      .choices({"none", "scaled", "sign", "gradient"});
  table.add("limiter", &choice.limiter, "what is limited").choices({"none", "norm_growth", "spike_clip"});
}

using Items = std::vector<std::pair<std::string, std::string>>;

Items items_of(const std::string& text) {
  Items items = parse_pairs(kWhere, text);
  for (auto& [name, value] : items) name = canonical_name(name);
  return items;
}

// Returns "" if the name is not among the items.
std::string value_of(const Items& items, const std::string& name) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.first == name; });
  return found == items.end() ? "" : found->second;
}

// Writes the keys above into `choice` and returns the other items. A method may have its own subspace and
// limiter; these keys are options then.
Items choose(const Items& items, Choice& choice) {
  OptionTable table;
  declare_options(table, choice);
  const std::string method = value_of(items, "method");
  Items rest;
  for (const auto& [key, value] : items) {
    const bool of_method = !method.empty() && key != "method" && key != "storage";
    if (of_method && (key == "rule" || key == "residual"))
      fail_usage(kWhere, "{}={}: expected storage and options of the method alone, for method={} has a {}",
                 key, value, method, key);
    if (!of_method && table.find(key)) {
      table.set(kWhere, key, value);
    } else {
      rest.emplace_back(key, value);
    }
  }
  if (choice.subspace.empty())
    choice.subspace = !value_of(rest, "rank").empty() || choice.residual != "none" ? "warm" : "none";
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
  if (choice.limiter == "spike_clip" && !rule_kind(choice.rule)->traits().keeps_every_square)
    fail_usage(kWhere,
               "limiter=spike_clip compares with a second moment of every element, which {} does not keep: "
               "expected rule=adamw or rms_prop",
               choice.rule);
}

// Returns the preset whose method, with its defaults, treats the residual in this way.
const char* preset_with(const std::string& residual) {
  if (residual == "scaled") return "fira_adamw";
  if (residual == "sign") return "frugal_adamw";
  return residual == "gradient" ? "apollo_adamw" : "galore_adamw";
}

OptimizerSettings settings_of(const Choice& choice) {
  if (!choice.method.empty()) return named_settings(choice.method);
  refuse_what_means_nothing(choice);
  OptimizerSettings settings;
  settings.rule = rule_kind(choice.rule);
  if (choice.subspace != "none") {
    settings.method = find_preset(preset_with(choice.residual)).settings().method;
    settings.subspace.subspace = choice.subspace;
  }
  if (choice.limiter == "spike_clip") settings.spam.emplace();
  return settings;
}

// Returns the bytes of the moments of one targeted matrix and one head, which is not targeted.
int64_t moment_bytes_of(OptimizerSettings settings, const std::string& storage) {
  settings.storage.storage = storage;
  Ledger ledger(at::kMeta);
  Workspace workspace(ledger);
  const std::vector<int64_t> shape{256, 256};
  make_method(settings, {.name = "matrix", .shape = shape, .layer = 0, .num_layers = 1}, workspace);
  make_method(settings, {.name = "head", .shape = shape, .targeted = false, .role = Role::head}, workspace);
  return ledger.bytes(Owner::moments);
}

void require_moments(const OptimizerSettings& settings) {
  const std::string& storage = settings.storage.storage;
  if (storage == "blockwise_8bit" &&
      moment_bytes_of(settings, storage) == moment_bytes_of(settings, "float32"))
    fail_usage(kWhere,
               "storage=blockwise_8bit: expected parts with a moment of every element; these keep none, or "
               "row and column means, which stay in fp32");
}

}  // namespace

bool is_composition(const std::string& optim) { return optim.find('=') != std::string::npos; }

OptimizerSettings compose(const std::string& text,
                          const std::vector<std::pair<std::string, std::string>>& defaults) {
  Choice choice;
  const Items items = items_of(text), rest = choose(items, choice);
  OptimizerSettings settings = settings_of(choice);
  settings.preset = text;
  if (choice.method.empty() || !value_of(items, "storage").empty()) settings.storage.storage = choice.storage;
  if (settings.storage.storage == "blockwise_8bit" && settings.rule->name() == "adamw") {
    double& epsilon = options_of<AdamWOptions>(*settings.rule).epsilon;
    epsilon = std::max(epsilon, kLeastEpsilon);
  }
  OptionTable table;
  declare_options(table, settings);
  for (const auto& [key, value] : defaults)
    if (table.find(key)) table.set("configuration", key, value);
  if (choice.method.empty() && table.find("limiter"))
    table.set(kWhere, "limiter", choice.limiter == "norm_growth" ? "1.01" : "0");
  for (const auto& [key, value] : rest) table.set(kWhere, key, value);
  require_moments(settings);
  return settings;
}

}  // namespace galore
