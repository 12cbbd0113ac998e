#include "optim/methods/galore.h"

#include "optim/presets/rows.h"
#include "optim/update_rules/adamw.h"

namespace galore {
namespace rows {

void combine_adamw_of_galore(OptimizerSettings& settings) {
  settings.decay_order = DecayOrder::after;
  // This is the default of galore_torch; the paper prints 1e-8.
  settings.rule = adamw_kind({.epsilon = 1e-6, .epsilon_before_correction = true});
}

std::vector<StateTensor> low_rank_adam_state() { return {{"mr", kBasis}, {"nr", kMoment}, {"nr", kMoment}}; }

std::vector<StateTensor> with_number(std::vector<StateTensor> state) {
  state.push_back({"1", kScalar});
  return state;
}

}  // namespace rows

namespace {

using namespace rows;

void combine_galore_adamw(OptimizerSettings& settings) {
  settings.method = galore_kind();
  combine_adamw_of_galore(settings);
}

void combine_galore_adamw_8bit(OptimizerSettings& settings) {
  settings.method = galore_kind();
  combine_adamw_8bit(settings);
}

// Q-GaLore: Quantized GaLore with INT4 Projection and Layer-Adaptive Low-Rank Gradients.
// Zhang, Jaiswal, Yin, Liu, Zhao, Tian, Wang; 2024; arXiv 2407.08296.
//
//   name in code                            default   where
//   proj_bits, proj_group_size              4, 256    subspaces/stored_basis.h
//   cos_threshold, gamma_proj, queue_size   0.4, 2, 5 subspaces/lazy_schedule.h
//   weight_bits, weight_group_size          8, 256    optim/quantized_weights.h
//   stochastic_round                        true      kernels/group_quantize.h
//
// All defaults come from the authors' code, as do scale 0.25 and the block size of 8-bit AdamW. The authors'
// scripts set beta2 to 0.95 when the whole model is updated at once and to 0.999 layer-wise; here it is
// always 0.999. The first three headers and methods/galore.h describe the departures.
void combine_q_galore_adamw_8bit(OptimizerSettings& settings) {
  combine_galore_adamw_8bit(settings);
  settings.subspace.proj_bits = 4;
  settings.subspace.lazy.cos_threshold = 0.4;
  settings.quantized_weights.emplace();
}

void combine_galore_adafactor(OptimizerSettings& settings) {
  settings.method = galore_kind();
  settings.rule = rule_kind("adafactor");
}

void combine_galore_sgd(OptimizerSettings& settings) {
  settings.method = galore_kind();
  settings.rule = rule_kind("sgd");
  settings.decay_order = DecayOrder::coupled;
}

}  // namespace

std::vector<Preset> galore_presets() {
  const char* const paper = "Zhao et al. 2024, arXiv 2403.03507";
  return {
      {"galore_adamw", {}, "GaLore over AdamW", paper, low_rank_adam_state(), combine_galore_adamw},
      {"galore_adamw_8bit",
       {"galore_adamw8bit", "galore_adamw_8bit_per_layer"},
       "GaLore over 8-bit AdamW",
       "Zhao et al. 2024, arXiv 2403.03507; Dettmers et al. 2022, arXiv 2110.02861",
       low_rank_adam_state(),
       combine_galore_adamw_8bit},
      {"q_galore_adamw_8bit",
       {"q_galore_adamw8bit"},
       "GaLore over 8-bit AdamW, with weights in 8 bits and bases in 4",
       "Zhang et al. 2024, arXiv 2407.08296",
       low_rank_adam_state(),
       combine_q_galore_adamw_8bit},
      {"galore_adafactor",
       {},
       "GaLore over Adafactor",
       paper,
       {{"mr", kBasis}, {"r"}, {"n"}, {"nr", kMoment, "beta1"}},
       combine_galore_adafactor},
      {"galore_sgd",
       {},
       "GaLore over SGD with momentum",
       paper,
       {{"mr", kBasis}, {"nr", kMoment, "momentum"}},
       combine_galore_sgd},
  };
}

}  // namespace galore
