#include "optim/methods/fira.h"

#include "optim/presets/rows.h"

namespace galore {
namespace {

using namespace rows;

void combine_fira_adamw(OptimizerSettings& settings) {
  settings.method = fira_kind();
  combine_adamw_of_galore(settings);
}

void combine_fira_adamw_8bit(OptimizerSettings& settings) {
  settings.method = fira_kind();
  combine_adamw_8bit(settings);
}

void combine_fira_adafactor(OptimizerSettings& settings) {
  settings.method = fira_kind();
  settings.rule = rule_kind("adafactor");
}

void combine_fira_rmsprop(OptimizerSettings& settings) {
  settings.method = fira_kind();
  settings.rule = rule_kind("rms_prop");
  settings.decay_order = DecayOrder::after;
}

// Returns GaLore's state and the limiter's norm.
std::vector<StateTensor> limited(std::vector<StateTensor> state) {
  state.push_back({"1", kScalar});
  return state;
}

}  // namespace

std::vector<Preset> fira_presets() {
  const char* const paper = "Chen et al. 2024, arXiv 2410.01623";
  return {
      {"fira_adamw", {}, "Fira over AdamW", paper, limited(low_rank_adam_state()), combine_fira_adamw},
      {"fira_adamw_8bit",
       {},
       "Fira over 8-bit AdamW",
       "Chen et al. 2024, arXiv 2410.01623; Dettmers et al. 2022, arXiv 2110.02861",
       limited(low_rank_adam_state()),
       combine_fira_adamw_8bit},
      {"fira_adafactor",
       {},
       "Fira over Adafactor",
       paper,
       limited({{"mr", kBasis}, {"r"}, {"n"}, {"nr", kMoment, "beta1"}}),
       combine_fira_adafactor},
      {"fira_rmsprop",
       {},
       "Fira over RMSProp",
       paper,
       limited({{"mr", kBasis}, {"nr", kMoment}}),
       combine_fira_rmsprop},
  };
}

}  // namespace galore
