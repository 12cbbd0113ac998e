// The table of named optimizers. A preset is a combination of parts and their defaults, nothing else: a new
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
  std::vector<StateTensor> state;  // of a targeted matrix
  void (*combine)(OptimizerSettings&);
  std::string state_formula = {};  // `state` in words; filled in by presets()

  // Before any option is given.
  OptimizerSettings settings() const;
};

const std::vector<Preset>& presets();
// By name or alias, with or without the suffix _layerwise; unknown names throw with the nearest known one.
const Preset& find_preset(const std::string& name);
// Of this preset, before any option is given; layer-wise with the suffix.
OptimizerSettings named_settings(const std::string& name);

// Bytes of moments and bases of a rows x columns weight that is targeted, by the preset's `state`. Not for
// proj_type=full, which no row describes.
int64_t state_bytes(const OptimizerSettings& settings, int64_t rows, int64_t columns);

// The method that trains one weight. A weight that is not targeted gets the update rule alone, unless the
// method takes every weight.
std::unique_ptr<Method> make_method(const OptimizerSettings& settings, const MethodWeight& weight,
                                    Workspace& workspace);

}  // namespace galore
