#include <algorithm>

#include "core/options.h"
#include "optim/methods/adarankgrad.h"
#include "optim/methods/alice.h"
#include "optim/presets/rows.h"

namespace galore {
namespace {

using namespace rows;

void combine_adarankgrad_adamw(OptimizerSettings& settings) {
  settings.method = adarankgrad_kind();
  settings.subspace.moment_transport = true;
  combine_adamw_of_galore(settings);
}

int64_t largest_rank(const StateSizes& sizes, const OptionText& option) {
  const int64_t largest = parse_count("state", "max_rank", option("max_rank"));
  return largest > 0 ? std::min({largest, sizes.m, sizes.n}) : sizes.r;
}
int64_t count_basis(const StateSizes& sizes, const OptionText& option) {
  return sizes.m * largest_rank(sizes, option);
}
int64_t count_moment(const StateSizes& sizes, const OptionText& option) {
  return sizes.n * largest_rank(sizes, option);
}

void combine_alice(OptimizerSettings& settings) { settings.method = alice_kind(); }

}  // namespace

std::vector<Preset> adaptive_presets() {
  return {
      {"adarankgrad_adamw",
       {"adarankgrad"},
       "GaLore over AdamW with a rank that follows the gradient; the state is given before the rank falls",
       "Refael et al. 2024, arXiv 2410.17881",
       {{"mr", kBasis, "", count_basis},
        {"nr", kMoment, "", count_moment},
        {"nr", kMoment, "", count_moment}},
       combine_adarankgrad_adamw},
      {"alice",
       {},
       "Adam in an eigenbasis with random directions, and a residual scaled by the energy of its columns",
       "Gong et al. 2025, arXiv 2502.07752",
       {{"mr"}, {"nr", kMoment}, {"nr", kMoment}, {"rr"}, {"n"}, {"", kScalar}},
       combine_alice},
  };
}

}  // namespace galore
