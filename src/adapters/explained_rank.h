// The rank that explains a product of two factors (InRank, arXiv 2306.11250). Legend: B A with B m x k, A k x
// n.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace galore {

enum class Explained { by_variance, by_energy };

// Returns the share that the `rank` leading ones of `count` singular values explain. `values` (k, descending)
// are all that may differ from zero.
//   by_variance  1 - Var(values with the leading ones set to 0) / Var(values), over all `count` values: the
//                rule of the authors' code
//   by_energy    the sum of the leading squares divided by the sum of all squares
double explained_share(const at::Tensor& values, int64_t count, int64_t rank, Explained rule);
// Returns the first rank from `first` to `last` that explains more than `threshold`, or `last`.
int64_t explained_rank(const at::Tensor& values, int64_t count, int64_t first, int64_t last, double threshold,
                       Explained rule);

// The singular value decomposition of B A = left diag(values) right^T, computed from k x k matrices.
struct ProductSpectrum {
  at::Tensor left, values, right;  // m x k, k, n x k
};
ProductSpectrum product_spectrum(const at::Tensor& b, const at::Tensor& a);
// Returns the values alone.
at::Tensor product_values(const at::Tensor& b, const at::Tensor& a);

}  // namespace galore
