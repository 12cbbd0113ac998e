#include "adapters/leading_triplets.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>

#include "kernels/random_normal.h"

namespace galore {
namespace {

// More columns than triplets make the search converge in few iterations.
constexpr int64_t kSpareColumns = 16;

at::Tensor orthonormal(const at::Tensor& columns) { return std::get<0>(at::linalg_qr(columns)); }

}  // namespace

Triplets leading_triplets(const ThinProducts& matrix, int64_t rank, int64_t iterations,
                          const RandomStream& stream) {
  const int64_t columns = std::min({2 * rank + kSpareColumns, matrix.rows, matrix.columns});
  const at::Tensor start = at::empty({matrix.columns, columns}, at::kFloat);
  random_normal(start, 1, stream);
  at::Tensor left = orthonormal(matrix.times(start));
  for (int64_t i = 0; i < iterations; ++i)
    left = orthonormal(matrix.times(orthonormal(matrix.transpose_times(left))));
  const Triplets small = exact_triplets(matrix.transpose_times(left).t(), rank);
  return {at::mm(left, small.left), small.values, small.right};
}

Triplets exact_triplets(const at::Tensor& matrix, int64_t rank) {
  const auto [u, s, vh] = at::linalg_svd(matrix, /*full_matrices=*/false);
  return {u.narrow(1, 0, rank), s.narrow(0, 0, rank), vh.narrow(0, 0, rank).t()};
}

}  // namespace galore
