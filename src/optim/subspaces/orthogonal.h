// Draws bases at random (GoLore, arXiv 2410.11289).
#pragma once

#include "optim/subspaces/basis_finder.h"

namespace galore {

// Draws uniformly among orthonormal bases, independently of the gradient: the Q of a matrix of normal
// numbers.
std::optional<SingularVectors> find_at_random(const GradientOperator& gradient, const BasisRequest& request);

// Returns the stream of the second basis if two bases are drawn with one stream.
RandomStream second_stream(const RandomStream& stream);

}  // namespace galore
