// Fira's norm-growth limiter (Chen et al. 2024, arXiv 2410.01623, section 4.3): from one update to the next,
// the norm of what is limited grows by no more than the factor gamma. APOLLO uses the same one.
//
//   limited = x / L,  L = max(|x| / (|previous limited| + 1e-8), gamma) / gamma
//
// The first x is not limited. One number of state.
//
// Departure: after an x of zero the next one is not limited either. In the authors' code the norm must then
// grow from 1e-8 by gamma an update: some 1,800 updates with hardly a residual at gamma = 1.01.
#pragma once

#include "core/state_visitor.h"

namespace galore {

class NormGrowth {
 public:
  // gamma 0: nothing is limited and nothing is kept.
  explicit NormGrowth(double gamma) : gamma_(gamma) {}
  // 1 / L for an x of this norm; remembers the norm of the limited x.
  double factor(double norm);
  void visit(StateVisitor& visitor);

 private:
  double gamma_;
  double previous_norm_ = 0;  // 0: nothing to grow from
};

}  // namespace galore
