// The dropout of a training step and its effect on a residual branch.
#pragma once

#include <string>

#include "core/batch.h"
#include "kernels/dropout.h"

namespace galore {

struct Dropout {
  double embedding = 0, residual = 0, attention = 0, head = 0;  // probabilities
  DropoutPlace place = {};
  // With alpha above 0, uniform noise from -1 to 1, times alpha / sqrt(length x features), is added to the
  // tokens' embeddings (NEFTune, arXiv 2310.05914).
  double noise_alpha = 0;

  DropoutMask mask(double probability, const std::string& name) const {
    return {RandomStream(place.seed, "dropout", name, static_cast<uint64_t>(place.update)), probability};
  }
};

}  // namespace galore
