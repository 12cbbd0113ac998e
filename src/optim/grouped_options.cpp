#include "optim/grouped_options.h"

#include "core/errors.h"
#include "core/options.h"
#include "optim/settings.h"

namespace galore {

OptimizerOptions grouped_options(const std::vector<GroupSettings>& settings,
                                 const std::vector<GroupedWeight>& weights,
                                 const std::vector<std::pair<std::string, std::string>>& options) {
  GALORE_ASSERT(!settings.empty());
  OptimizerOptions all;
  OptionTable table;
  declare_options(table, all);
  int64_t seed = static_cast<int64_t>(all.seed);
  table.add("seed", &seed, "seed of random bases and of stochastic rounding").range(0, 0x1p62);
  for (const auto& [name, value] : options) table.set("optimizer", name, value);
  all.seed = static_cast<uint64_t>(seed);
  all.settings = resolve_optimizer(settings[0].optim, settings[0].optim_args);
  for (size_t i = 1; i < settings.size(); ++i)
    all.overrides.push_back(
        {.pattern = "", .settings = resolve_optimizer(settings[i].optim, settings[i].optim_args)});
  for (const GroupedWeight& weight : weights) {
    WeightChoice& choice = all.choices[weight.name];
    if (weight.settings > 0) choice.own_settings = weight.settings - 1;
    choice.targeted = weight.targeted;
  }
  return all;
}

}  // namespace galore
