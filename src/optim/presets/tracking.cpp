#include "optim/methods/coap.h"
#include "optim/methods/ldadam.h"
#include "optim/methods/mofasgd.h"
#include "optim/methods/osd.h"
#include "optim/methods/subtrack.h"
#include "optim/presets/rows.h"
#include "optim/update_rules/adamw.h"

namespace galore {
namespace {

using namespace rows;

void combine_subtrack_adamw(OptimizerSettings& settings) {
  settings.method = subtrack_kind();
  combine_adamw_of_galore(settings);
  settings.subspace.moment_transport = true;
}

void combine_ldadam_adamw(OptimizerSettings& settings) {
  settings.method = ldadam_kind();
  settings.rule = adamw_kind({.beta1 = 0.908, .beta2 = 0.99});
}

void combine_osd_adamw(OptimizerSettings& settings) {
  settings.method = osd_kind();
  combine_adamw_of_galore(settings);
}

void combine_coap_adamw(OptimizerSettings& settings) {
  settings.method = coap_kind();
  combine_adamw_of_galore(settings);
}

void combine_mofasgd(OptimizerSettings& settings) { settings.method = mofasgd_kind(); }

}  // namespace

std::vector<Preset> tracking_presets() {
  return {
      {"subtrack_adamw",
       {},
       "SubTrack++: a basis that follows the gradient, and Fira's residual",
       "Rajabi et al. 2025, arXiv 2502.01586",
       with_number(low_rank_adam_state()),
       combine_subtrack_adamw},
      {"ldadam_adamw",
       {},
       "LDAdam: a new subspace at every update, and error feedback",
       "Robert et al. 2024, arXiv 2410.16103",
       {{"mr"}, {"nr", kMoment}, {"nr", kMoment}, {"mn"}},
       combine_ldadam_adamw},
      {"osd_adamw",
       {},
       "Online Subspace Descent: a basis that learns by Adam",
       "Liang et al. 2024, arXiv 2408.12857",
       {{"mr"}, {"mr"}, {"mr"}, {"nr", kMoment}, {"nr", kMoment}, {"1", kScalar}},
       combine_osd_adamw},
      {"coap_adamw",
       {},
       "COAP: a basis that descends on reconstruction and correlation",
       "Xiao et al. 2024, arXiv 2412.00071",
       with_number({{"mr"}, {"nr", kMoment}, {"nr", kMoment}}),
       combine_coap_adamw},
      {"mofasgd",
       {},
       "MoFaSGD: momentum kept as singular triples",
       "Mahdavinia and Mahdavi 2025, arXiv 2507.08091",
       {{"mr"}, {"nr"}, {"r"}},
       combine_mofasgd},
  };
}

}  // namespace galore
