#include "optim/methods/apollo.h"

#include "optim/presets/rows.h"

namespace galore {
namespace {

using namespace rows;

// The two numbers are the key of the basis's random stream and the limiter's norm.
std::vector<StateTensor> apollo_state() {
  std::vector<StateTensor> state = low_rank_adam_state();
  state.insert(state.end(), {{"1", kScalar}, {"1", kScalar}});
  return state;
}

}  // namespace

namespace rows {

void combine_apollo_adamw(OptimizerSettings& settings) {
  settings.method = apollo_kind();
  settings.subspace.subspace = "random";
  combine_adamw_of_galore(settings);
}

void combine_apollo_mini(OptimizerSettings& settings) {
  combine_apollo_adamw(settings);
  settings.method = apollo_kind({.scale = 128, .scale_type = "tensor"});
  settings.subspace.rank = 1;
}

}  // namespace rows

namespace {

// Quantizes the weights to 8 bits, in groups of half Q-GaLore's size.
void keep_in_codes(OptimizerSettings& settings) {
  settings.quantized_weights.emplace();
  settings.quantized_weights->group_size = 128;
}

void combine_q_apollo_adamw(OptimizerSettings& settings) {
  combine_apollo_adamw(settings);
  settings.method = apollo_kind({.limit_corrected = true});
  keep_in_codes(settings);
}

void combine_q_apollo_mini(OptimizerSettings& settings) {
  combine_apollo_mini(settings);
  settings.method = apollo_kind({.scale = 128, .scale_type = "tensor", .limit_corrected = true});
  keep_in_codes(settings);
}

}  // namespace

std::vector<Preset> apollo_presets() {
  const char* const paper = "Zhu et al. 2024, arXiv 2412.05270";
  return {
      {"apollo_adamw", {}, "APOLLO over AdamW", paper, apollo_state(), combine_apollo_adamw},
      {"apollo_mini", {}, "APOLLO-Mini: rank 1", paper, apollo_state(), combine_apollo_mini},
      {"q_apollo_adamw", {}, "APOLLO with weights in 8 bits", paper, apollo_state(), combine_q_apollo_adamw},
      {"q_apollo_mini",
       {},
       "APOLLO-Mini with weights in 8 bits",
       paper,
       apollo_state(),
       combine_q_apollo_mini},
  };
}

}  // namespace galore
