#include "optim/presets.h"

#include <algorithm>

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

void combine_galore_adamw(OptimizerSettings& settings) {
  settings.method = "galore";
  settings.decay_order = DecayOrder::after;
  settings.adamw.epsilon = 1e-6;  // galore_torch's default; the paper prints 1e-8
  settings.adamw.epsilon_before_correction = true;
}

std::vector<Preset> make_presets() {
  const std::string adam_paper = "Loshchilov and Hutter 2019, arXiv 1711.05101";
  const std::string codes_paper = "Dettmers et al. 2022, arXiv 2110.02861";
  const std::string galore_paper = "Zhao et al. 2024, arXiv 2403.03507";
  return {
      {"adamw_torch",
       {"adamw", "adamw_torch_fused"},
       "AdamW in PyTorch's form",
       adam_paper,
       "8mn bytes",
       [](OptimizerSettings&) {},
       declare_adamw},
      {"adamw_8bit",
       {"adamw_bnb_8bit"},
       "AdamW with block-wise 8-bit moments",
       codes_paper,
       "2mn + 8mn/block_size bytes",
       [](OptimizerSettings& s) {
         s.storage.storage = "blockwise_8bit";
         s.decay_order = DecayOrder::after;
       },
       declare_adamw_8bit},
      {"adafactor",
       {},
       "Adafactor with a given learning rate",
       "Shazeer and Stern 2018, arXiv 1804.04235",
       "4(m + n) bytes, 4mn more with beta1",
       [](OptimizerSettings& s) { s.rule = "adafactor"; },
       declare_adafactor},
      {"sgd",
       {},
       "SGD with momentum in PyTorch's form",
       "Polyak 1964",
       "4mn bytes with momentum, else 0",
       [](OptimizerSettings& s) {
         s.rule = "sgd";
         s.decay_order = DecayOrder::coupled;
       },
       declare_sgd},
      {"galore_adamw",
       {},
       "GaLore over AdamW",
       galore_paper,
       "4(mr + 2nr) bytes",
       combine_galore_adamw,
       declare_in_galore<declare_adamw>},
      {"galore_adamw_8bit",
       {"galore_adamw8bit", "galore_adamw_8bit_per_layer"},
       "GaLore over 8-bit AdamW",
       galore_paper + "; " + codes_paper,
       "4mr + 2nr + 8nr/block_size bytes",
       [](OptimizerSettings& s) {
         s.method = "galore";
         s.storage.storage = "blockwise_8bit";
         s.decay_order = DecayOrder::after;
       },
       declare_in_galore<declare_adamw_8bit>},
      {"galore_adafactor",
       {},
       "GaLore over Adafactor",
       galore_paper,
       "4(mr + n + r) bytes, 4nr more with beta1",
       [](OptimizerSettings& s) {
         s.method = "galore";
         s.rule = "adafactor";
       },
       declare_in_galore<declare_adafactor>},
      {"galore_sgd",
       {},
       "GaLore over SGD with momentum",
       galore_paper,
       "4mr bytes, 4nr more with momentum",
       [](OptimizerSettings& s) {
         s.method = "galore";
         s.rule = "sgd";
         s.decay_order = DecayOrder::coupled;
       },
       declare_in_galore<declare_sgd>},
  };
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

std::unique_ptr<Method> make_method(const OptimizerSettings& settings, at::IntArrayRef shape, bool projected,
                                    Workspace& workspace) {
  if (!projected || settings.method == "plain") return make_plain(make_rule(settings, shape, workspace));
  GALORE_ASSERT(settings.method == "galore" && shape.size() == 2);
  auto subspace = std::make_unique<Subspace>(settings.subspace, shape[0], shape[1], workspace);
  auto rule = make_rule(settings, subspace->low_rank_shape(), workspace);
  return make_galore(settings.galore, std::move(subspace), std::move(rule));
}

}  // namespace galore
