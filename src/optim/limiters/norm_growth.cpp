#include "optim/limiters/norm_growth.h"

namespace galore {

double NormGrowth::factor(double norm) {
  constexpr double kEpsilon = 1e-8;  // the authors' code
  if (gamma_ == 0) return 1;
  const double growth = norm / (previous_norm_ + kEpsilon);
  const double factor = previous_norm_ > 0 && growth > gamma_ ? gamma_ / growth : 1;
  previous_norm_ = norm * factor;
  return factor;
}

void NormGrowth::visit(StateVisitor& visitor) {
  if (gamma_ > 0) visitor.scalar("limiter.previous_norm", previous_norm_);
}

}  // namespace galore
