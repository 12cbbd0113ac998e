// The interface of searches for a basis. Each search has a file of its own and a row in bases.cpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "core/memory.h"
#include "core/random.h"
#include "optim/subspaces/gradient_operator.h"
#include "optim/subspaces/subspace_options.h"

namespace galore {

// Leading singular vectors of a gradient as columns, with their singular values in descending order. A side
// that was not requested may be undefined.
struct SingularVectors {
  at::Tensor left, right, values;
};

// The inputs of a search in addition to the gradient.
struct BasisRequest {
  Side side;
  int64_t rank;
  // The old basis of the requested side (right for `both`) in fp32, from which a search may start. It may be
  // undefined.
  at::Tensor previous;
  RandomStream random;
  Workspace& workspace;  // its buffers may hold the result until the next search
  // A rule's average of low-rank gradients in the old basis, m x r or r x n; may be undefined.
  at::Tensor average = {};
  // Options of iterations: the number of random columns in addition to the old basis, and whether the result
  // is rotated into singular directions.
  int64_t oversampling = 16;
  bool rotate = true;
};

// Finds the leading `rank` singular vectors of `gradient`, exactly or approximately. Returns nullopt if the
// computation failed. On the meta device only the buffers are claimed.
using BasisFinder = std::optional<SingularVectors> (*)(const GradientOperator& gradient,
                                                       const BasisRequest& request);

// Returns the share of the largest singular value below which singular values of an m x n matrix are rounding
// errors of fp32 (the rule of numpy's matrix_rank).
double rounding_noise(int64_t m, int64_t n);

}  // namespace galore
