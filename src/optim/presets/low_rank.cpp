#include "optim/methods/frugal.h"
#include "optim/methods/galore.h"
#include "optim/methods/sumo.h"
#include "optim/presets/rows.h"

namespace galore {
namespace {

using namespace rows;

// GoLore: random bases, uniform among orthonormal ones, into which the moments move. The paper moves the
// first moment; the second follows as in LDAdam. Its first phase with SVD is a run of galore_adamw.
void combine_golore_adamw(OptimizerSettings& settings) {
  settings.method = galore_kind();
  combine_adamw_of_galore(settings);
  settings.subspace.subspace = "orthogonal";
  settings.subspace.moment_transport = true;
}

void combine_frugal_adamw(OptimizerSettings& settings) { settings.method = frugal_kind(); }

void combine_sumo(OptimizerSettings& settings) {
  settings.method = sumo_kind();
  settings.subspace.moment_transport = true;
}

}  // namespace

std::vector<Preset> low_rank_presets() {
  return {
      {"golore_adamw",
       {},
       "GaLore with random orthonormal bases",
       "He et al. 2024, arXiv 2410.11289",
       low_rank_adam_state(),
       combine_golore_adamw},
      {"frugal_adamw",
       {},
       "FRUGAL: AdamW inside the subspace, signs outside",
       "Zmushko et al. 2024, arXiv 2411.07837",
       with_number(low_rank_adam_state()),
       combine_frugal_adamw},
      {"sumo",
       {},
       "SUMO: momentum orthogonalized inside the subspace",
       "Refael et al. 2025, arXiv 2505.24749",
       with_number({{"mr", kBasis}, {"nr", kMoment, "momentum"}}),
       combine_sumo},
  };
}

}  // namespace galore
