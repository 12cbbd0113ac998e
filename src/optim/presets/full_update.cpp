#include "core/options.h"
#include "kernels/block_adam.h"
#include "optim/methods/foam.h"
#include "optim/methods/gwt.h"
#include "optim/presets/rows.h"

namespace galore {
namespace {

using namespace rows;

void combine_foam_adamw(OptimizerSettings& settings) {
  settings.method = foam_kind();
  settings.decay_order = DecayOrder::after;
  settings.adamw = {.beta2 = 0.95, .epsilon_before_correction = true};
}

void combine_gwt_adamw(OptimizerSettings& settings) {
  settings.method = gwt_kind();
  combine_adamw_of_galore(settings);
}

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
       "Adam of means over neighbours, with what they leave out",
       "2025, arXiv 2512.07112",
       {folded, folded},
       combine_foam_adamw},
      {"gwt_adamw",
       {"gwt"},
       "Adam of the coarse part of a wavelet transform",
       "2025, arXiv 2501.07237",
       {folded, folded, {"", kScalar}},
       combine_gwt_adamw},
  };
}

}  // namespace galore
