#include "optim/settings.h"

#include "core/errors.h"
#include "optim/methods/method_kind.h"

namespace galore {
namespace {

void declare_rule(OptionTable& table, OptimizerSettings& settings) {
  if (settings.rule == "adamw") declare_options(table, settings.adamw);
  if (settings.rule == "adafactor") declare_options(table, settings.adafactor);
  if (settings.rule == "sgd") declare_options(table, settings.sgd);
}

}  // namespace

void declare_options(OptionTable& table, OptimizerSettings& settings) {
  table.add("learning_rate", &settings.learning_rate, "overrides the run's learning rate; -1: unset")
      .range(-1, 1e9)
      .alias("lr");
  table.add("weight_decay", &settings.weight_decay, "overrides the run's weight decay; -1: unset")
      .range(-1, 1e6);
  declare_rule(table, settings);
  if (settings.storage.storage != "float32") declare_options(table, settings.storage);
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
  if (settings.rule == "adamw") return make_adamw(settings.adamw, settings.storage, shape, workspace);
  if (settings.rule == "adafactor")
    return make_adafactor(settings.adafactor, settings.storage, shape, workspace);
  GALORE_ASSERT(settings.rule == "sgd");
  return make_sgd(settings.sgd, settings.storage, shape, workspace);
}

}  // namespace galore
