// The numbers of one update of Adam, for rules and methods that keep their own moments.
#pragma once

#include <cmath>

#include "kernels/adamw.h"
#include "optim/update_rules/adamw.h"

namespace galore {

// Returns Adam's bias correction sqrt(1 - beta2^t) / (1 - beta1^t) for update t, counted from 1.
inline double adam_correction(const AdamWOptions& options, int64_t step) {
  const double t = static_cast<double>(step);
  return std::sqrt(1 - std::pow(options.beta2, t)) / (1 - std::pow(options.beta1, t));
}

inline kernels::AdamStep adam_step(const AdamWOptions& options, int64_t step) {
  const double known2 = std::sqrt(1 - std::pow(options.beta2, static_cast<double>(step)));
  const double epsilon = options.epsilon * (options.epsilon_before_correction ? 1 : known2);
  return {options.beta1, options.beta2, static_cast<float>(epsilon),
          static_cast<float>(adam_correction(options, step))};
}

}  // namespace galore
