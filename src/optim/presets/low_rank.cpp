#include "core/options.h"
#include "optim/methods/flora.h"
#include "optim/methods/frugal.h"
#include "optim/methods/galore.h"
#include "optim/methods/lora_pre.h"
#include "optim/methods/natural_galore.h"
#include "optim/methods/sumo.h"
#include "optim/presets/rows.h"
#include "optim/update_rules/adafactor.h"

namespace galore {
namespace {

using namespace rows;

// GoLore draws bases uniformly among orthonormal ones and moves the moments into them. The paper moves the
// first moment; the second follows as in LDAdam. The paper's first phase with SVD is a run of galore_adamw.
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

void combine_flora(OptimizerSettings& settings) {
  settings.rule = adafactor_kind({.beta1 = -1});  // Flora has its own first moment
  settings.method = flora_kind();
  settings.subspace.subspace = "random";
  settings.subspace.update_proj_gap = 1000;
  settings.subspace.moment_transport = true;
}

void combine_natural_galore_adamw(OptimizerSettings& settings) {
  settings.method = natural_galore_kind();
  combine_adamw_of_galore(settings);
}

void combine_lora_pre(OptimizerSettings& settings) { settings.method = lora_pre_kind(); }

int64_t count_history(const StateSizes& sizes, const OptionText& option) {
  return sizes.n * sizes.r * parse_count("state", "history", option("history"));
}

std::vector<StateTensor> natural_galore_state() {
  std::vector<StateTensor> state = low_rank_adam_state();
  state.push_back({"history nr", StateTensor::Kind::float32, "", count_history});
  return with_number(state);
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
      {"flora",
       {},
       "Flora: Adafactor with a momentum in random projections",
       "Hao et al. 2024, arXiv 2402.03293",
       {{"mr", kBasis}, {"m"}, {"n"}, {"nr", kMoment, "beta1"}},
       combine_flora},
      {"natural_galore_adamw",
       {},
       "Natural GaLore: low-rank gradients times an inverse Fisher matrix",
       "Das 2024, arXiv 2410.16029",
       natural_galore_state(),
       combine_natural_galore_adamw},
      {"lora_pre",
       {},
       "LoRA-Pre: AdamW with moments that are products of thin matrices",
       "Wang et al. 2026, arXiv 2602.24283",
       {{"mr"}, {"nr"}, {"mr"}, {"nr"}, {"1", kScalar}},
       combine_lora_pre},
  };
}

}  // namespace galore
