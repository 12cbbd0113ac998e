#include "optim/presets/rows.h"
#include "optim/update_rules/rms_prop.h"

namespace galore {
namespace rows {

void combine_adamw_8bit(OptimizerSettings& settings) {
  settings.storage.storage = "blockwise_8bit";
  settings.decay_order = DecayOrder::after;
}

}  // namespace rows

namespace {

using namespace rows;

void combine_adafactor(OptimizerSettings& settings) { settings.rule = rule_kind("adafactor"); }

void combine_rms_prop(OptimizerSettings& settings) {
  settings.rule = rms_prop_kind({.beta = 0.99, .epsilon = 1e-8});
  settings.decay_order = DecayOrder::coupled;
}

void combine_sgd(OptimizerSettings& settings) {
  settings.rule = rule_kind("sgd");
  settings.decay_order = DecayOrder::coupled;
}

}  // namespace

std::vector<Preset> full_rank_presets() {
  const char* const adam = "Loshchilov and Hutter 2019, arXiv 1711.05101";
  return {
      {"adamw_torch",
       {"adamw", "adamw_torch_fused"},
       "AdamW in PyTorch's form",
       adam,
       {{"mn", kMoment}, {"mn", kMoment}},
       [](OptimizerSettings&) {}},
      {"adamw_8bit",
       {"adamw_bnb_8bit"},
       "AdamW with block-wise 8-bit moments",
       "Dettmers et al. 2022, arXiv 2110.02861",
       {{"mn", kMoment}, {"mn", kMoment}},
       combine_adamw_8bit},
      {"adafactor",
       {},
       "Adafactor with a given learning rate",
       "Shazeer and Stern 2018, arXiv 1804.04235",
       {{"m"}, {"n"}, {"mn", kMoment, "beta1"}},
       combine_adafactor},
      {"sgd",
       {},
       "SGD with momentum in PyTorch's form",
       "Polyak 1964",
       {{"mn", kMoment, "momentum"}},
       combine_sgd},
      {"rmsprop",
       {},
       "RMSProp in PyTorch's form",
       "Tieleman and Hinton 2012, lecture 6.5",
       {{"mn", kMoment}},
       combine_rms_prop},
  };
}

}  // namespace galore
