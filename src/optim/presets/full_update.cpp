#include "core/options.h"
#include "kernels/block_adam.h"
#include "optim/methods/adam_mini.h"
#include "optim/methods/foam.h"
#include "optim/methods/gwt.h"
#include "optim/methods/muon.h"
#include "optim/methods/racs.h"
#include "optim/methods/scale.h"
#include "optim/methods/sinkgd.h"
#include "optim/methods/swan.h"
#include "optim/presets/rows.h"
#include "optim/update_rules/adamw.h"

namespace galore {
namespace {

using namespace rows;

void combine_foam_adamw(OptimizerSettings& settings) {
  settings.method = foam_kind();
  settings.decay_order = DecayOrder::after;
  settings.rule = adamw_kind({.beta2 = 0.95, .epsilon_before_correction = true});
}

void combine_gwt_adamw(OptimizerSettings& settings) {
  settings.method = gwt_kind();
  combine_adamw_of_galore(settings);
}

void combine_muon(OptimizerSettings& settings) {
  settings.method = muon_kind();
  settings.rule = adamw_kind({.beta2 = 0.95, .epsilon = 1e-10});
}

void combine_scale(OptimizerSettings& settings) {
  settings.method = scale_kind();
  settings.rule = adamw_kind({.epsilon_before_correction = true});
}

void combine_racs(OptimizerSettings& settings) { settings.method = racs_kind(); }
void combine_swan(OptimizerSettings& settings) { settings.method = swan_kind(); }
void combine_sinkgd(OptimizerSettings& settings) { settings.method = sinkgd_kind(); }
void combine_adam_mini(OptimizerSettings& settings) { settings.method = adam_mini_kind(); }

int64_t count_blocks(const StateSizes& sizes, const OptionText& option) {
  const int64_t block = int64_t{1} << parse_count("state", "level", option("level"));
  return sizes.m * kernels::num_blocks(sizes.n, block);
}

}  // namespace

std::vector<Preset> full_update_presets() {
  const StateTensor folded{"m ceil(n / 2^level)", kMoment, "", count_blocks};
  return {
      {"foam_adamw",
       {"foam"},
       "Adam on means over neighbouring elements, plus the residual",
       "Wen et al. 2025, arXiv 2512.07112",
       {folded, folded},
       combine_foam_adamw},
      {"gwt_adamw",
       {"gwt"},
       "Adam on the coarse part of a wavelet transform",
       "Wen et al. 2025, arXiv 2501.07237",
       {folded, folded, {"", kScalar}},
       combine_gwt_adamw},
      {"muon",
       {},
       "the averaged gradient with all singular values made nearly equal",
       "Jordan et al. 2024, kellerjordan.github.io/posts/muon",
       {{"mn", kMoment}},
       combine_muon},
      {"adam_mini",
       {},
       "AdamW with one second moment for each output row",
       "Zhang et al. 2024, arXiv 2406.16793",
       {{"mn", kMoment}, {"m"}},
       combine_adam_mini},
  };
}

std::vector<Preset> stateless_presets() {
  return {
      {"racs",
       {},
       "SGD scaled by rows and columns",
       "Gong et al. 2025, arXiv 2502.07752",
       {{"m"}, {"n"}, {"", kScalar}},
       combine_racs},
      {"scale",
       {},
       "SGD on normalized rows, with momentum only in the head",
       "Glentis et al. 2025, arXiv 2506.16659",
       {},
       combine_scale},
      {"swan",
       {},
       "SGD on standardized and whitened gradients",
       "Ma et al. 2024, arXiv 2412.13148",
       {},
       combine_swan},
      {"sinkgd",
       {},
       "SGD on gradients with rows and columns of equal length",
       "Scetbon et al. 2025, arXiv 2502.06742",
       {},
       combine_sinkgd},
  };
}

}  // namespace galore
