// Which dropout a training step has, and what a residual branch does with it.
#pragma once

#include <string>

#include "kernels/dropout.h"

namespace galore {

// Where a micro-batch stands: masks depend on this, on the place in the model and on the element alone, so
// that recomputation and a resumed run draw the same ones, and an update the same ones however it is cut.
struct DropoutPlace {
  uint64_t seed = 0;
  int64_t update = 0;
  int64_t first_row = 0;  // rows of the update before this micro-batch
};

struct Dropout {
  double embedding = 0, residual = 0, attention = 0;  // probabilities
  DropoutPlace place = {};

  DropoutMask mask(double probability, const std::string& name) const {
    return {RandomStream(place.seed, "dropout", name, static_cast<uint64_t>(place.update)), probability};
  }
};

}  // namespace galore
