#include "optim/presets.h"

#include <algorithm>

#include "core/dtypes.h"
#include "core/errors.h"

namespace galore {
namespace {

constexpr const char* kLayerwiseSuffix = "_layerwise";

void declare_common(OptionTable& table, OptimizerSettings& settings) {
  table.add("learning_rate", &settings.learning_rate, "overrides the run's learning rate; -1: unset")
      .range(-1, 1e9)
      .alias("lr");
  table.add("weight_decay", &settings.weight_decay, "overrides the run's weight decay; -1: unset")
      .range(-1, 1e6);
}

void declare_adamw(OptionTable& table, OptimizerSettings& settings) {
  declare_common(table, settings);
  declare_options(table, settings.adamw);
}

void declare_adamw_8bit(OptionTable& table, OptimizerSettings& settings) {
  declare_adamw(table, settings);
  declare_options(table, settings.storage);
}

void declare_adafactor(OptionTable& table, OptimizerSettings& settings) {
  declare_common(table, settings);
  declare_options(table, settings.adafactor);
}

void declare_sgd(OptionTable& table, OptimizerSettings& settings) {
  declare_common(table, settings);
  declare_options(table, settings.sgd);
}

void declare_galore(OptionTable& table, OptimizerSettings& settings) {
  declare_options(table, settings.subspace);
  declare_options(table, settings.galore);
}

// The rule's own options, then GaLore's.
template <void (*declare_rule)(OptionTable&, OptimizerSettings&)>
void declare_in_galore(OptionTable& table, OptimizerSettings& settings) {
  declare_rule(table, settings);
  declare_galore(table, settings);
}

void combine_adamw_8bit(OptimizerSettings& settings) {
  settings.storage.storage = "blockwise_8bit";
  settings.decay_order = DecayOrder::after;
}

void combine_adafactor(OptimizerSettings& settings) { settings.rule = "adafactor"; }

void combine_sgd(OptimizerSettings& settings) {
  settings.rule = "sgd";
  settings.decay_order = DecayOrder::coupled;
}

void combine_adamw_of_galore(OptimizerSettings& settings) {
  settings.decay_order = DecayOrder::after;
  settings.adamw.epsilon = 1e-6;  // galore_torch's default; the paper prints 1e-8
  settings.adamw.epsilon_before_correction = true;
}

const char* const kAdamPaper = "Loshchilov and Hutter 2019, arXiv 1711.05101";
const char* const kCodesPaper = "Dettmers et al. 2022, arXiv 2110.02861";
const char* const kGaLorePaper = "Zhao et al. 2024, arXiv 2403.03507";
constexpr auto kFloat32 = StateTensor::Kind::float32;
constexpr auto kMoment = StateTensor::Kind::moment;
constexpr auto kBasis = StateTensor::Kind::basis;

std::vector<Preset> full_rank_presets() {
  return {
      {"adamw_torch",
       {"adamw", "adamw_torch_fused"},
       "AdamW in PyTorch's form",
       kAdamPaper,
       {{"mn", kMoment, ""}, {"mn", kMoment, ""}},
       [](OptimizerSettings&) {},
       declare_adamw},
      {"adamw_8bit",
       {"adamw_bnb_8bit"},
       "AdamW with block-wise 8-bit moments",
       kCodesPaper,
       {{"mn", kMoment, ""}, {"mn", kMoment, ""}},
       combine_adamw_8bit,
       declare_adamw_8bit},
      {"adafactor",
       {},
       "Adafactor with a given learning rate",
       "Shazeer and Stern 2018, arXiv 1804.04235",
       {{"m", kFloat32, ""}, {"n", kFloat32, ""}, {"mn", kMoment, "beta1"}},
       combine_adafactor,
       declare_adafactor},
      {"sgd",
       {},
       "SGD with momentum in PyTorch's form",
       "Polyak 1964",
       {{"mn", kMoment, "momentum"}},
       combine_sgd,
       declare_sgd},
  };
}

template <void (*combine_rule)(OptimizerSettings&)>
void combine_in_galore(OptimizerSettings& settings) {
  settings.method = "galore";
  combine_rule(settings);
}

std::vector<Preset> galore_presets() {
  return {
      {"galore_adamw",
       {},
       "GaLore over AdamW",
       kGaLorePaper,
       {{"mr", kBasis, ""}, {"nr", kMoment, ""}, {"nr", kMoment, ""}},
       combine_in_galore<combine_adamw_of_galore>,
       declare_in_galore<declare_adamw>},
      {"galore_adamw_8bit",
       {"galore_adamw8bit", "galore_adamw_8bit_per_layer"},
       "GaLore over 8-bit AdamW",
       "Zhao et al. 2024, arXiv 2403.03507; Dettmers et al. 2022, arXiv 2110.02861",
       {{"mr", kBasis, ""}, {"nr", kMoment, ""}, {"nr", kMoment, ""}},
       combine_in_galore<combine_adamw_8bit>,
       declare_in_galore<declare_adamw_8bit>},
      {"galore_adafactor",
       {},
       "GaLore over Adafactor",
       kGaLorePaper,
       {{"mr", kBasis, ""}, {"r", kFloat32, ""}, {"n", kFloat32, ""}, {"nr", kMoment, "beta1"}},
       combine_in_galore<combine_adafactor>,
       declare_in_galore<declare_adafactor>},
      {"galore_sgd",
       {},
       "GaLore over SGD with momentum",
       kGaLorePaper,
       {{"mr", kBasis, ""}, {"nr", kMoment, "momentum"}},
       combine_in_galore<combine_sgd>,
       declare_in_galore<declare_sgd>},
  };
}

std::vector<Preset> make_presets() {
  std::vector<Preset> table = full_rank_presets();
  for (Preset& preset : galore_presets()) table.push_back(std::move(preset));
  for (Preset& preset : table) {
    OptimizerSettings settings;
    preset.combine(settings);
    preset.state_formula = state_formula(preset.state, settings.storage);
  }
  return table;
}

std::unique_ptr<UpdateRule> make_rule(const OptimizerSettings& settings, at::IntArrayRef shape,
                                      Workspace& workspace) {
  if (settings.rule == "adamw") return make_adamw(settings.adamw, settings.storage, shape, workspace);
  if (settings.rule == "adafactor")
    return make_adafactor(settings.adafactor, settings.storage, shape, workspace);
  GALORE_ASSERT(settings.rule == "sgd");
  return make_sgd(settings.sgd, settings.storage, shape, workspace);
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> table = make_presets();
  return table;
}

const Preset& find_preset(const std::string& name) {
  std::string wanted = canonical_name(name);
  if (wanted.ends_with(kLayerwiseSuffix)) wanted.resize(wanted.size() - std::string(kLayerwiseSuffix).size());
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    if (preset.name == wanted || std::count(preset.aliases.begin(), preset.aliases.end(), wanted))
      return preset;
    names.push_back(preset.name);
  }
  fail_usage("optim", "unknown optimizer '{}'; the nearest known one is '{}'", name,
             nearest_name(wanted, names));
}

OptimizerSettings resolve_optimizer(const std::string& name, const std::string& optim_args,
                                    const std::vector<std::pair<std::string, std::string>>& defaults) {
  const Preset& preset = find_preset(name);
  OptimizerSettings settings;
  preset.combine(settings);
  settings.preset = preset.name;
  settings.layerwise = canonical_name(name).ends_with(kLayerwiseSuffix);
  OptionTable table;
  preset.declare(table, settings);
  for (const auto& [key, value] : defaults)
    if (table.find(key)) table.set("configuration", key, value);
  table.set_list("optim_args of " + preset.name, optim_args);
  return settings;
}

int64_t state_bytes(const OptimizerSettings& settings, int64_t rows, int64_t columns) {
  OptimizerSettings copy = settings;
  OptionTable table;
  const Preset& preset = find_preset(settings.preset);
  preset.declare(table, copy);
  const auto is_above_0 = [&](const std::string& option) {
    return parse_number("state", option, table.find(option)->text()) > 0;
  };
  StateSizes sizes{rows, columns, 0, settings.storage, 4};
  if (settings.method != "plain") {
    const SubspaceOptions& subspace = settings.subspace;
    const Side side = side_of(subspace.proj_type, rows, columns);
    GALORE_ASSERT(side != Side::both);
    if (side == Side::right) std::swap(sizes.m, sizes.n);
    sizes.r = std::min({subspace.rank, rows, columns});
    sizes.basis_element_bytes = static_cast<int64_t>(c10::elementSize(dtype_from_name(subspace.basis_dtype)));
  }
  return state_bytes(preset.state, sizes, is_above_0);
}

std::unique_ptr<Method> make_method(const OptimizerSettings& settings, at::IntArrayRef shape, bool projected,
                                    Workspace& workspace) {
  if (!projected || settings.method == "plain") return make_plain(make_rule(settings, shape, workspace));
  GALORE_ASSERT(settings.method == "galore" && shape.size() == 2);
  auto subspace = std::make_unique<Subspace>(settings.subspace, shape[0], shape[1], workspace);
  auto rule = make_rule(settings, subspace->low_rank_shape(), workspace);
  return make_galore(settings.galore, std::move(subspace), std::move(rule));
}

}  // namespace galore
