#include "optim/presets.h"

#include <algorithm>

#include "core/errors.h"
#include "optim/composition.h"
#include "optim/presets/rows.h"

namespace galore {
namespace {

constexpr const char* kLayerwiseSuffix = "_layerwise";

std::vector<Preset> make_presets() {
  std::vector<Preset> table;
  for (auto* family :
       {full_rank_presets, galore_presets, fira_presets, apollo_presets, low_rank_presets, tracking_presets,
        adaptive_presets, spam_presets, full_update_presets, stateless_presets, blockwise_presets})
    for (Preset& preset : family()) table.push_back(std::move(preset));
  for (Preset& preset : table) {
    const OptimizerSettings settings = preset.settings();
    preset.state_formula = state_formula(preset.state, settings.storage, settings.subspace);
  }
  return table;
}

}  // namespace

OptimizerSettings Preset::settings() const {
  OptimizerSettings settings;
  settings.preset = name;
  combine(settings);
  return settings;
}

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

OptimizerSettings named_settings(const std::string& name) {
  OptimizerSettings settings = find_preset(name).settings();
  if (canonical_name(name).ends_with(kLayerwiseSuffix)) settings.layerwise = true;
  return settings;
}

Cloned<OptimizerSettings> resolve_optimizer(
    const std::string& name, const std::string& optim_args,
    const std::vector<std::pair<std::string, std::string>>& defaults) {
  if (is_composition(name)) return compose(optim_args.empty() ? name : name + "," + optim_args, defaults);
  OptimizerSettings settings = named_settings(name);
  OptionTable table;
  declare_options(table, settings);
  for (const auto& [key, value] : defaults)
    if (table.find(key)) table.set("configuration", key, value);
  table.set_list("optim_args of " + settings.preset, optim_args);
  return settings;
}

int64_t state_bytes(const OptimizerSettings& settings, int64_t rows, int64_t columns) {
  const OptionText option = [&](const std::string& name) { return option_text(settings, name); };
  StateSizes sizes{rows, columns, 0, settings.storage, settings.subspace};
  const bool has_basis = settings.method && settings.method->traits().has_basis;
  // A method that makes its own bases has a rank of its own, and projects the shorter side unless it has a
  // proj_type.
  const std::string own_rank = has_basis ? "" : option("rank"), own_type = option("proj_type");
  if (has_basis || !own_rank.empty()) {
    const Side side = side_of(own_type.empty() ? "std" : own_type, rows, columns);
    GALORE_ASSERT(side != Side::both);
    if (side == Side::right) std::swap(sizes.m, sizes.n);
    const int64_t rank = has_basis ? settings.subspace.rank : parse_count("state", "rank", own_rank);
    sizes.r = std::min({rank, rows, columns});
  }
  return state_bytes(find_preset(settings.preset).state, sizes, option);
}

std::unique_ptr<Method> make_method(const OptimizerSettings& settings, const MethodWeight& weight,
                                    Workspace& workspace) {
  const MethodInputs inputs(settings, weight, workspace);
  if (settings.method && (weight.targeted || settings.method->traits().takes_every_weight))
    return settings.method->make(inputs);
  return make_plain(inputs.rule(weight.shape));
}

}  // namespace galore
