// The leading singular triplets of a matrix that is known through its products with thin matrices (Halko,
// Martinsson and Tropp, "Finding structure with randomness", SIAM Review 2011, algorithms 4.4 and 5.1).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "core/random.h"

namespace galore {

// A matrix of `rows` x `columns` with the given products, all in fp32.
struct ThinProducts {
  int64_t rows, columns;
  std::function<at::Tensor(const at::Tensor&)> times, transpose_times;
};

// matrix ~ left diag(values) right^T, with values in decreasing order. Legend: r triplets.
struct Triplets {
  at::Tensor left, values, right;  // rows x r, r, columns x r
};

// Returns `rank` triplets after this many iterations, which begin with random numbers from `stream`. If the
// matrix has fewer, the last values are zero and their vectors arbitrary.
Triplets leading_triplets(const ThinProducts& matrix, int64_t rank, int64_t iterations,
                          const RandomStream& stream);
// Returns the triplets of a whole decomposition (LAPACK).
Triplets exact_triplets(const at::Tensor& matrix, int64_t rank);

}  // namespace galore
