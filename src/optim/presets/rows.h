// The rows of the table of presets. Each function returns the presets of one family.
#pragma once

#include "optim/presets.h"

namespace galore {

std::vector<Preset> full_rank_presets();
std::vector<Preset> galore_presets();
std::vector<Preset> fira_presets();
std::vector<Preset> apollo_presets();
std::vector<Preset> low_rank_presets();  // other methods with a subspace
std::vector<Preset> tracking_presets();  // methods with a basis that follows the gradient
std::vector<Preset> adaptive_presets();
std::vector<Preset> spam_presets();
std::vector<Preset> full_update_presets();
std::vector<Preset> blockwise_presets();  // update one layer or one weight at a time
std::vector<Preset> stateless_presets();  // keep no state, or a few numbers for each row or column

namespace rows {
inline constexpr auto kFloat32 = StateTensor::Kind::float32;
inline constexpr auto kMoment = StateTensor::Kind::moment;
inline constexpr auto kBasis = StateTensor::Kind::basis;
inline constexpr auto kScalar = StateTensor::Kind::scalar;

// Sets AdamW as the authors of GaLore use it; methods built on their code use it too.
void combine_adamw_of_galore(OptimizerSettings& settings);
// Sets AdamW with block-wise 8-bit moments.
void combine_adamw_8bit(OptimizerSettings& settings);
// Set APOLLO, and its form of rank one.
void combine_apollo_adamw(OptimizerSettings& settings);
void combine_apollo_mini(OptimizerSettings& settings);
// Returns the basis and Adam's two moments of a low-rank gradient.
std::vector<StateTensor> low_rank_adam_state();
std::vector<StateTensor> with_number(std::vector<StateTensor> state);
}  // namespace rows

}  // namespace galore
