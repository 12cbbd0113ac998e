// Randomized subspace iteration (Halko, Martinsson, Tropp 2011, Algorithm 4.4) starts from the old basis and
// random columns and rotates the result into singular directions. Without an old basis each search takes
// three iterations.
#pragma once

#include "optim/subspaces/basis_finder.h"

namespace galore {

// Runs two iterations.
std::optional<SingularVectors> find_by_randomized_iteration(const GradientOperator& gradient,
                                                            const BasisRequest& request);
// Runs one iteration, as PowerSGD (arXiv 1905.13727) and LDAdam (2410.16103) do without the rotation.
std::optional<SingularVectors> find_by_warm_iteration(const GradientOperator& gradient,
                                                      const BasisRequest& request);
// Runs half an iteration, from the rule's average of low-rank gradients instead of a product with the
// gradient.
std::optional<SingularVectors> find_by_sketch(const GradientOperator& gradient, const BasisRequest& request);

}  // namespace galore
