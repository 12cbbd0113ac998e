// Finds exact singular vectors.
#pragma once

#include "optim/subspaces/basis_finder.h"

namespace galore {

// Computes the thin SVD by LAPACK (gesdd), or the eigenvectors of the Gram matrix in fp64 if LAPACK fails.
std::optional<SingularVectors> find_by_svd(const GradientOperator& gradient, const BasisRequest& request);

}  // namespace galore
