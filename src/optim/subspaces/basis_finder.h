// How the search for a basis is called. Each search has a file of its own and a row in bases.cpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "core/memory.h"
#include "core/random.h"
#include "optim/subspaces/gradient_operator.h"
#include "optim/subspaces/subspace_options.h"

namespace galore {

// Leading singular vectors of a gradient, by columns, with their singular values in falling order. A side
// that was not asked for may be undefined.
struct SingularVectors {
  at::Tensor left, right, values;
};

// What a search may use beside the gradient.
struct BasisRequest {
  Side side;
  int64_t rank;
  // The old basis of the wanted side (right for `both`), fp32, from which a search may start; may be
  // undefined.
  at::Tensor previous;
  RandomStream random;
  Workspace& workspace;  // the result may live there until the next search
  // A rule's average of low-rank gradients in the old basis, m x r or r x n; may be undefined.
  at::Tensor average = {};
  // For iterations: the number of random columns beside the old basis, and whether the result is rotated into
  // singular directions.
  int64_t oversampling = 16;
  bool rotate = true;
};

// Finds the leading `rank` singular vectors of `gradient`, exactly or nearly. nullopt: the computation
// failed. On the meta device only the buffers are claimed.
using BasisFinder = std::optional<SingularVectors> (*)(const GradientOperator& gradient,
                                                       const BasisRequest& request);

// Singular values of an m x n matrix below this share of the largest are fp32's rounding (the rule of numpy's
// matrix_rank).
double rounding_noise(int64_t m, int64_t n);

}  // namespace galore
