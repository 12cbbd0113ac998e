#include "optim/settings.h"

#include <algorithm>
#include <iterator>

#include "core/errors.h"
#include "optim/methods/method_kind.h"

namespace galore {
namespace {

struct Rule {
  const char* name;
  void (*declare)(OptionTable& table, OptimizerSettings& settings);
  std::unique_ptr<UpdateRule> (*make)(const OptimizerSettings& settings, at::IntArrayRef shape,
                                      Workspace& workspace);
};

const Rule kRules[] = {
    {"adamw", [](OptionTable& table, OptimizerSettings& s) { declare_options(table, s.adamw); },
     [](const OptimizerSettings& s, at::IntArrayRef shape, Workspace& workspace) {
       return make_adamw(s.adamw, s.storage, shape, workspace);
     }},
    {"adafactor", [](OptionTable& table, OptimizerSettings& s) { declare_options(table, s.adafactor); },
     [](const OptimizerSettings& s, at::IntArrayRef shape, Workspace& workspace) {
       return make_adafactor(s.adafactor, s.storage, shape, workspace);
     }},
    {"sgd", [](OptionTable& table, OptimizerSettings& s) { declare_options(table, s.sgd); },
     [](const OptimizerSettings& s, at::IntArrayRef shape, Workspace& workspace) {
       return make_sgd(s.sgd, s.storage, shape, workspace);
     }},
    {"rms_prop", [](OptionTable& table, OptimizerSettings& s) { declare_options(table, s.rms_prop); },
     [](const OptimizerSettings& s, at::IntArrayRef shape, Workspace& workspace) {
       return make_rms_prop(s.rms_prop, s.storage, shape, workspace);
     }},
};

const Rule& rule_of(const OptimizerSettings& settings) {
  const auto found = std::find_if(std::begin(kRules), std::end(kRules),
                                  [&](const Rule& rule) { return rule.name == settings.rule; });
  GALORE_ASSERT(found != std::end(kRules));
  return *found;
}

}  // namespace

void declare_options(OptionTable& table, OptimizerSettings& settings) {
  table.add("learning_rate", &settings.learning_rate, "overrides the run's learning rate; -1: unset")
      .range(-1, 1e9)
      .alias("lr");
  table.add("weight_decay", &settings.weight_decay, "overrides the run's weight decay; -1: unset")
      .range(-1, 1e6);
  rule_of(settings).declare(table, settings);
  if (settings.spam) declare_options(table, *settings.spam);
  if (settings.storage.storage != "float32") declare_options(table, settings.storage);
  if (settings.coded_weights) declare_options(table, *settings.coded_weights);
  if (!settings.method) return;
  if (settings.method->traits().has_basis) declare_options(table, settings.subspace);
  settings.method->declare(table);
}

std::string option_text(const OptimizerSettings& settings, const std::string& name) {
  OptimizerSettings copy = settings;
  OptionTable table;
  declare_options(table, copy);
  const Option* option = table.find(name);
  return option ? option->text() : "";
}

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  for (const Rule& rule : kRules) names.emplace_back(rule.name);
  return names;
}

std::unique_ptr<UpdateRule> make_rule(const OptimizerSettings& settings, at::IntArrayRef shape,
                                      Workspace& workspace) {
  auto rule = rule_of(settings).make(settings, shape, workspace);
  return settings.spam ? make_spam(*settings.spam, std::move(rule)) : std::move(rule);
}

}  // namespace galore
