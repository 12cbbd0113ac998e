#include "optim/methods/badam.h"
#include "optim/presets/rows.h"

namespace galore {
namespace {

using namespace rows;

void combine_badam(OptimizerSettings& settings) { settings.method = badam_kind(); }

// LOMO: Full Parameter Fine-tuning for Large Language Models with Limited Resources.
// Lv, Yang, Liu, Gao, Guo, Qiu; ACL 2024; arXiv 2306.09782.
//
// LOMO is SGD that updates each weight in the backward pass and frees its gradient at once. The layer-wise
// driver does this, and also accumulates and clips; layerwise_clipping chooses the norm to clip by. LOMO
// computes every gradient twice to get the norm.
void combine_lomo(OptimizerSettings& settings) {
  settings.rule = rule_kind("sgd");
  settings.decay_order = DecayOrder::coupled;
  settings.layerwise = true;
}

// AdaLomo: Low-memory Optimization with Adaptive Learning Rate.
// Lv, Yan, Guo, Lv, Qiu; ACL 2024; arXiv 2310.10195, Algorithm 1.
//
// AdaLomo uses Adafactor's second moment and clips each weight's update (its "grouped update normalization"),
// without a first moment, in the backward pass. Departure: the update is not multiplied by the root mean
// square of the weight, because no method sees the weight. The learning rate is Adafactor's without
// scale_parameter.
void combine_adalomo(OptimizerSettings& settings) {
  settings.rule = rule_kind("adafactor");
  settings.layerwise = true;
}

}  // namespace

std::vector<Preset> blockwise_presets() {
  return {
      {"badam",
       {},
       "AdamW of one layer at a time; only the active layer has state",
       "Luo et al. 2024, arXiv 2404.02827",
       {{"mn"}, {"mn"}, {"", kScalar}, {"", kScalar}},
       combine_badam},
      {"lomo",
       {},
       "SGD in the backward pass, the same as sgd_layerwise",
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
