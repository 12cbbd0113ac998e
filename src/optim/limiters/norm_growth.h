// Fira's norm-growth limiter (Chen et al. 2024, arXiv 2410.01623, section 4.3): from one update to the next,
// the norm of the limited tensor x grows by at most the factor gamma. APOLLO uses it too.
//
//   limited = x / L,  L = max(|x| / (|previous limited| + 1e-8), gamma) / gamma
//
// The first x is not limited. The state is one number.
//
// Departure: after a zero x, the next x is not limited either. In the authors' code the norm must then grow
// from 1e-8 by the factor gamma in each update, which takes some 1,800 updates with hardly a residual at
// gamma = 1.01.
#pragma once

#include "core/state_visitor.h"

namespace galore {

class NormGrowth {
 public:
  // With gamma = 0 nothing is limited and nothing is stored.
  explicit NormGrowth(double gamma) : gamma_(gamma) {}
  // Returns 1 / L for an x of this norm, and remembers the norm of the limited x.
  double factor(double norm);
  void visit(StateVisitor& visitor);

 private:
  double gamma_;
  double previous_norm_ = 0;  // 0: the next x is not limited
};

}  // namespace galore
