// The table of named optimizers. A preset is only a combination of parts and their defaults, so a new
// combination is a new row.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "optim/methods/method_kind.h"
#include "optim/optimizer_options.h"
#include "optim/settings.h"
#include "optim/state_formula.h"

namespace galore {

struct Preset {
  std::string name;
  std::vector<std::string> aliases;
  std::string_view title;          // one line
  std::string_view paper;          // authors, year, arXiv
  std::vector<StateTensor> state;  // the state of a targeted matrix
  void (*combine)(OptimizerSettings&);
  std::string state_formula = {};  // `state` in words; presets() fills it in

  // Returns the settings before any option is given.
  OptimizerSettings settings() const;
};

const std::vector<Preset>& presets();
// Finds a preset by name or alias, with or without the suffix _layerwise. An unknown name is an Error that
// suggests the nearest known one.
const Preset& find_preset(const std::string& name);
// Returns the settings of this preset before any option is given; the suffix _layerwise sets layerwise.
OptimizerSettings named_settings(const std::string& name);

// Returns the bytes of moments and bases of a targeted rows x columns weight, according to the preset's
// `state`. It does not support proj_type=full, which no row describes.
int64_t state_bytes(const OptimizerSettings& settings, int64_t rows, int64_t columns);

// Makes the method that trains one weight. A weight that is not targeted gets the update rule alone, unless
// the method takes every weight.
std::unique_ptr<Method> make_method(const OptimizerSettings& settings, const MethodWeight& weight,
                                    Workspace& workspace);

}  // namespace galore
