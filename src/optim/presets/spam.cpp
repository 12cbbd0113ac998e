#include <cmath>

#include "core/options.h"
#include "kernels/element_mask.h"
#include "optim/methods/galore.h"
#include "optim/methods/sparse_momentum.h"
#include "optim/methods/stable_spam.h"
#include "optim/presets/rows.h"

namespace galore {
namespace {

using namespace rows;

void combine_spam_adamw(OptimizerSettings& settings) {
  combine_adamw_of_galore(settings);
  settings.spam.emplace();
  settings.method = sparse_momentum_kind();
}

void combine_stable_spam_adamw(OptimizerSettings& settings) { settings.method = stable_spam_kind(); }

void combine_galore_spam_adamw(OptimizerSettings& settings) {
  combine_adamw_of_galore(settings);
  settings.spam.emplace();
  settings.method = galore_kind();
}

int64_t count_chosen(const StateSizes& sizes, const OptionText& option) {
  const double density = parse_number("state", "density", option("density"));
  return static_cast<int64_t>(density * static_cast<double>(sizes.m * sizes.n));
}

int64_t count_mask_words(const StateSizes& sizes, const OptionText&) {
  return kernels::mask_words(sizes.m * sizes.n);
}

}  // namespace

std::vector<Preset> spam_presets() {
  const char* const paper = "Huang et al. 2025, arXiv 2501.06842";
  const StateTensor moment{" floor(density mn)", kMoment, "", count_chosen};
  return {
      {"spam_adamw",
       {"spam"},
       "AdamW with clipped spikes and regular resets; a density below 1 updates only some elements",
       paper,
       {moment, moment, {" ceil(mn / 32)", kFloat32, "density<1", count_mask_words}},
       combine_spam_adamw},
      {"stable_spam_adamw",
       {"stable_spam"},
       "AdamW on gradients with clipped elements and smoothed norms; moments are reset regularly",
       "Huang et al. 2025, arXiv 2502.17055",
       {{"mn", kMoment}, {"mn", kMoment}, {"", kScalar}, {"", kScalar}, {"", kScalar}},
       combine_stable_spam_adamw},
      {"galore_spam_adamw",
       {},
       "GaLore over AdamW with SPAM's clipping and resets in the subspace",
       "Huang et al. 2025, arXiv 2501.06842; Zhao et al. 2024, arXiv 2403.03507",
       low_rank_adam_state(),
       combine_galore_spam_adamw},
  };
}

}  // namespace galore
