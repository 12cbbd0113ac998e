// I3S: Importance Sampling Subspace Selection for Low-Rank Optimization in LLM Pretraining.
// Zhang, Yin, Wang, Liu, Zhang, Shrivastava, Yang, Braverman; NeurIPS 2025; arXiv 2502.05790.
//
// Of all singular vectors, `rank` are drawn without replacement, each time with probabilities proportional to
// their singular values: the leading ones alone hardly change during a training.
//
// Known from summaries: that the draw is sequential, and in what order the vectors then stand, is ours. They
// stand in falling order of singular values; moments keep their coordinates at a refresh, as in GaLore.
#pragma once

#include "optim/subspaces/basis_finder.h"

namespace galore {

std::optional<SingularVectors> find_by_importance(const GradientOperator& gradient,
                                                  const BasisRequest& request);

}  // namespace galore
