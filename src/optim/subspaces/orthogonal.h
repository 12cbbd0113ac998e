// Bases drawn at random (GoLore, arXiv 2410.11289).
#pragma once

#include "optim/subspaces/basis_finder.h"

namespace galore {

// Uniform among orthonormal bases, whatever the gradient is: the Q of a matrix of normal numbers.
std::optional<SingularVectors> find_at_random(const GradientOperator& gradient, const BasisRequest& request);

// The stream of a second basis, where two are drawn with one stream.
RandomStream second_stream(const RandomStream& stream);

}  // namespace galore
