#include "optim/settings.h"

#include "optim/methods/method_kind.h"

namespace galore {
void declare_options(OptionTable& table, OptimizerSettings& settings) {
  table.add("learning_rate", &settings.learning_rate, "overrides the run's learning rate; -1: unset")
      .range(-1, 1e9)
      .alias("lr");
  table.add("weight_decay", &settings.weight_decay, "overrides the run's weight decay; -1: unset")
      .range(-1, 1e6);
  settings.rule->declare(table);
  if (settings.spam) declare_options(table, *settings.spam);
  if (settings.storage.storage != "float32") declare_options(table, settings.storage);
  if (settings.quantized_weights) declare_options(table, *settings.quantized_weights);
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

std::unique_ptr<UpdateRule> make_rule(const OptimizerSettings& settings, at::IntArrayRef shape,
                                      Workspace& workspace) {
  auto rule = settings.rule->make(settings.storage, shape, workspace);
  return settings.spam ? make_spam(*settings.spam, std::move(rule)) : std::move(rule);
}

}  // namespace galore
