#include "optim/methods/badam.h"
#include "optim/presets/rows.h"

namespace galore {
namespace {

using namespace rows;

void combine_badam(OptimizerSettings& settings) { settings.method = badam_kind(); }

// LOMO: Full Parameter Fine-tuning for Large Language Models with Limited Resources.
// Lv, Yang, Liu, Gao, Guo, Qiu; ACL 2024; arXiv 2306.09782.
//
// SGD whose updates are done in the backward pass, where each gradient is freed at once: the layer-wise
// driver, which takes accumulation and clipping too (layerwise_clipping says by what; LOMO computes every
// gradient twice for the norm).
void combine_lomo(OptimizerSettings& settings) {
  settings.rule = rule_kind("sgd");
  settings.decay_order = DecayOrder::coupled;
  settings.layerwise = true;
}

// AdaLomo: Low-memory Optimization with Adaptive Learning Rate.
// Lv, Yan, Guo, Lv, Qiu; ACL 2024; arXiv 2310.10195, Algorithm 1.
//
// Adafactor's second moment and clipping of each weight's update (its "grouped update normalization"), no
// first moment, in the backward pass. Departure: the update is not multiplied by the root mean square of the
// weight, which no method sees; the learning rate is Adafactor's without scale_parameter.
void combine_adalomo(OptimizerSettings& settings) {
  settings.rule = rule_kind("adafactor");
  settings.layerwise = true;
}

}  // namespace

std::vector<Preset> blockwise_presets() {
  return {
      {"badam",
       {},
       "AdamW of one layer at a time; its state is that of the layer that is trained",
       "Luo et al. 2024, arXiv 2404.02827",
       {{"mn"}, {"mn"}, {"", kScalar}, {"", kScalar}},
       combine_badam},
      {"lomo",
       {},
       "SGD in the backward pass: sgd_layerwise",
       "Lv et al. 2023, arXiv 2306.09782",
       {{"mn", kMoment, "momentum"}},
       combine_lomo},
      {"adalomo",
       {},
       "Adafactor's second moment in the backward pass",
       "Lv et al. 2023, arXiv 2310.10195",
       {{"m"}, {"n"}, {"mn", kMoment, "beta1"}},
       combine_adalomo},
  };
}

}  // namespace galore
