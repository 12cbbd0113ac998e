#include "optim/subspaces/svd.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace galore {
namespace {

// Uses the eigenvectors of the smaller Gram matrix in fp64; the other side follows by one product. This is
// slower than LAPACK's SVD and cannot see values below the square root of rounding, but it converges when the
// SVD does not.
SingularVectors find_by_gram(const at::Tensor& gradient, int64_t rank) {
  const bool tall = gradient.size(0) >= gradient.size(1);
  const at::Tensor g = (tall ? gradient : gradient.t()).to(at::kDouble);
  const auto [squares, vectors] = at::linalg_eigh(g.t().matmul(g));
  const at::Tensor near = vectors.flip({1}).narrow(1, 0, rank);
  const at::Tensor values = squares.flip({0}).narrow(0, 0, rank).clamp_min(0).sqrt();
  const at::Tensor far = g.matmul(near) / values.clamp_min(1e-300);
  const at::Tensor& left = tall ? far : near;
  const at::Tensor& right = tall ? near : far;
  return {left.to(at::kFloat), right.to(at::kFloat), values.to(at::kFloat)};
}

// Returns the bytes that LAPACK's gesdd needs for the thin SVD: the matrix, both factors, a copy of each in
// its own order, and a workspace of about four squares of the shorter side.
int64_t svd_bytes(const at::Tensor& gradient) {
  const int64_t longer = std::max(gradient.size(0), gradient.size(1));
  const int64_t shorter = std::min(gradient.size(0), gradient.size(1));
  return 4 * (2 * longer * shorter + 6 * shorter * shorter);
}

bool all_finite(const SingularVectors& vectors) {
  return vectors.values.isfinite().all().item<bool>() && vectors.left.isfinite().all().item<bool>() &&
         vectors.right.isfinite().all().item<bool>();
}

}  // namespace

std::optional<SingularVectors> find_by_svd(const GradientOperator& source, const BasisRequest& request) {
  const at::Tensor gradient = source.dense();
  const int64_t rank = request.rank;
  request.workspace.ledger().note_transient(svd_bytes(gradient));
  if (gradient.is_meta()) return SingularVectors{};
  if (!source.usable()) return std::nullopt;
  try {
    const auto [u, s, vh] = at::linalg_svd(gradient, /*full_matrices=*/false);
    SingularVectors vectors{u.narrow(1, 0, rank), vh.narrow(0, 0, rank).t(), s.narrow(0, 0, rank)};
    if (all_finite(vectors)) return vectors;
  } catch (const c10::Error&) {
    // LAPACK did not converge, so the Gram matrix is used.
  }
  try {
    SingularVectors vectors = find_by_gram(gradient, rank);
    if (all_finite(vectors)) return vectors;
  } catch (const c10::Error&) {
    // There is no further way; the caller keeps the old basis.
  }
  return std::nullopt;
}

}  // namespace galore
