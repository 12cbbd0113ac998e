// Requirements that every preset must meet. The tests of this folder run over the table of presets, so every
// preset in the table is tested. There is one test for each preset; it goes through the preset's variants:
// optional state on and off, projected or not, every way to find a basis.
#pragma once

#include <gtest/gtest.h>

#include <cstring>

#include "optim/test_optimizer.h"

namespace galore::battery {

using namespace testing_optimizer;

struct Variant {
  std::string optim, args;
  bool targeted = false;
  std::string gradient = "full";  // or "projected": the gradient is formed projected between refreshes

  OptimizerOptions options() const {
    OptimizerOptions made;
    // A target that matches nothing lets the rule alone update every weight.
    if (!targeted) made.target_modules = {"no_such_module"};
    made.gradient = gradient;
    return made;
  }
  // The warm iteration spreads its refreshes over the gap.
  bool refreshes_together() const {
    return args.find("subspace=") != std::string::npos && args.find("subspace=warm") == std::string::npos;
  }
  bool subspace_is(const std::string& name) const {
    return args.find("subspace=" + name) != std::string::npos;
  }
  bool keeps_codes() const { return resolve_optimizer(optim, args)->quantized_weights.has_value(); }
  std::string text() const {
    return optim + " " + args + (targeted ? ", gradient " + gradient : " (not targeted)");
  }
};

// Returns true when the preset's targeted weights have a basis.
inline bool projects(const Preset& preset) {
  const auto method = preset.settings().method;
  return method && method->traits().has_basis;
}

// Returns the values of `subspace` that the preset accepts.
inline std::vector<std::string> subspaces_of(const Preset& preset) {
  std::vector<std::string> names = subspace_names();
  const MethodTraits traits = preset.settings().method->traits();
  std::erase_if(names, [&](const std::string& name) {
    const BasisKind& basis = basis_kind(name);
    return (traits.needs_orthonormal && !basis.traits.orthonormal) ||
           (traits.moves_basis && !basis.is_searched());
  });
  return names;
}

// Returns true when the preset treats targeted weights differently from the others.
inline bool has_targets(const Preset& preset) {
  const auto method = preset.settings().method;
  return method && !method->traits().takes_every_weight;
}

inline bool has_option(const Preset& preset, const std::string& name) {
  return !option_text(preset.settings(), name).empty();
}

// Returns the argument that keeps the basis in another format, under the name that this preset has for it.
inline std::string basis_in(const Preset& preset, const std::string& dtype) {
  if (has_option(preset, "basis_dtype")) return ",basis_dtype=" + dtype;
  return std::string(",proj_bits=") + (dtype == "bfloat16" ? "16" : dtype == "int8" ? "8" : "4");
}

// Returns arguments that switch each kind of optional state on (momentum, beta1), and "".
inline std::vector<std::string> optional_state(const Preset& preset) {
  std::vector<std::string> all{""};
  for (const StateTensor& tensor : preset.state) {
    std::string needed = tensor.needs;
    if (needed.empty()) continue;
    if (const size_t below = needed.find('<'); below != std::string::npos) needed.resize(below);
    all.push_back("," + needed + (needed.find('=') == std::string::npos ? "=0.9" : ""));
  }
  return all;
}

// Returns all other values of the method's choices and switches, one at a time.
inline std::vector<std::string> other_choices(const Preset& preset) {
  std::vector<std::string> all;
  OptionTable table;
  OptimizerSettings settings = preset.settings();
  if (settings.method) settings.method->declare(table);
  for (const auto& option : table.options()) {
    std::vector<std::string> values = option->allowed();
    if (option->type() == "bool") values = {"true", "false"};
    for (const std::string& value : values)
      if (value != option->default_text()) all.push_back("," + option->name() + "=" + value);
  }
  return all;
}

// Returns periods so short that a few updates reach their ends.
inline std::string short_periods(const Preset& preset) {
  std::string args;
  for (const char* period : {"interval=3", "warmup_steps=2", "holdoff=1", "switch_every=2", "leading=2"}) {
    const std::string name(period, std::strchr(period, '='));
    if (has_option(preset, name)) args += std::string(",") + period;
  }
  return args;
}

// Returns blocks so small that small weights have several, the last of them incomplete.
inline std::string storage_of(const Preset& preset) {
  return has_option(preset, "block_size") ? ",min_8bit_size=64,block_size=48" : "";
}

inline std::vector<Variant> variants(const Preset& preset, bool with_short_periods = true) {
  std::vector<Variant> all;
  for (const std::string& optional : optional_state(preset)) {
    const std::string args =
        optional + storage_of(preset) + (with_short_periods ? short_periods(preset) : "");
    all.push_back({preset.name, args});
    if (has_targets(preset) && !projects(preset)) all.push_back({preset.name, args, true});
    const bool has_rank = !projects(preset) && has_option(preset, "rank");
    const std::string base = (projects(preset) ? "rank=4,update_proj_gap=3"
                              : has_rank       ? "rank=4"
                                               : "") +
                             args;
    if (has_rank) all.push_back({preset.name, base, true});
    if (has_rank && has_option(preset, "update_proj_gap"))
      all.push_back({preset.name, base + ",update_proj_gap=3", true});
    for (const std::string& choice : other_choices(preset)) all.push_back({preset.name, base + choice, true});
    if (has_option(preset, "energy")) {  // ranks fall below 4 and rise again
      for (const std::string gradient : {"full", "projected"})
        all.push_back({preset.name, base + ",energy=0.4", true, gradient});
      all.push_back({preset.name, base + ",energy=0.4,inner_criterion=0.9,min_gap=1,max_gap=3", true});
    }
    if (!projects(preset)) continue;
    for (const std::string& finder : subspaces_of(preset))
      all.push_back({preset.name, base + ",subspace=" + finder, true});
    all.push_back({preset.name, base, true, "projected"});
    all.push_back({preset.name, base + ",moment_transport=true", true});
    all.push_back({preset.name, base + ",rotate=false,oversampling=0", true});
    all.push_back({preset.name, base + ",proj_type=full", true});
    all.push_back({preset.name, base + ",proj_type=full", true, "projected"});
    all.push_back({preset.name, base + ",proj_type=reverse_std" + basis_in(preset, "bfloat16"), true});
    all.push_back({preset.name, base + ",proj_group_size=16" + basis_in(preset, "int4"), true});
    all.push_back({preset.name, base + ",cos_threshold=0.1,queue_size=1,subspace=svd", true, "projected"});
    if (!has_option(preset, "weight_bits")) continue;
    all.push_back({preset.name, base + ",weight_bits=16", true});
    all.push_back({preset.name, base + ",weight_group_size=32,stochastic_round=false", true});
  }
  return all;
}

class Battery : public testing::TestWithParam<const Preset*> {
 protected:
  const Preset& preset() const { return *GetParam(); }
};

inline std::vector<const Preset*> all_presets() {
  std::vector<const Preset*> all;
  for (const Preset& preset : presets()) all.push_back(&preset);
  return all;
}

inline std::string name_of(const testing::TestParamInfo<const Preset*>& info) { return info.param->name; }

}  // namespace galore::battery
