// I3S: Importance Sampling Subspace Selection for Low-Rank Optimization in LLM Pretraining.
// Zhang, Yin, Wang, Liu, Zhang, Shrivastava, Yang, Braverman; NeurIPS 2025; arXiv 2502.05790.
//
// `rank` of all singular vectors are drawn without replacement, each time with probabilities proportional to
// their singular values. The leading vectors alone would hardly change during a training.
//
// We know the method only from summaries: the sequential draw and the order of the vectors are our choices.
// The vectors are in falling order of singular values; moments keep their coordinates at a refresh, as in
// GaLore.
#pragma once

#include "optim/subspaces/basis_finder.h"

namespace galore {

std::optional<SingularVectors> find_by_importance(const GradientOperator& gradient,
                                                  const BasisRequest& request);

}  // namespace galore
