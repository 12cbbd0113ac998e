#include "optim/subspaces/captured_energy.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "kernels/random_normal.h"
#include "kernels/serial_lapack.h"

namespace galore {
namespace {

constexpr int64_t kProbes = 16;

// Returns the lower Cholesky factor of the basis's Gram matrix in fp64, or an undefined tensor if LAPACK
// finds none.
at::Tensor gram_factor(const at::Tensor& basis, Workspace& workspace) {
  const int64_t rank = basis.size(1);
  const at::Tensor gram = workspace.get(Owner::workspace, "subspace.gram", {rank, rank}, at::kDouble);
  gram_matrix(gram, basis.contiguous(), workspace);
  if (gram.is_meta()) return gram;
  const SerialLapack serial(rank);
  const auto [factor, failed] = at::linalg_cholesky_ex(gram);
  return failed.item<int>() == 0 ? factor : at::Tensor();
}

// Returns factor^-1 x in fp64.
at::Tensor solved(const at::Tensor& factor, const at::Tensor& x) {
  return at::linalg_solve_triangular(factor, x.to(at::kDouble), /*upper=*/false);
}

// tr(K^-1 R^T R), K the basis's Gram matrix, is the squared norm of the gradient's projection onto the span.
double inside_squared_norm(const at::Tensor& low_rank, const BasisSpan& span, Workspace& workspace) {
  if (!span.oblique) return kernels::sum_squares(low_rank);
  const int64_t rank = span.basis.rank();
  workspace.ledger().note_transient(8 * (2 * low_rank.numel() + rank * rank));
  at::Tensor inside = low_rank;
  for (const bool of_columns : {false, true}) {
    if (span.side == (of_columns ? Side::left : Side::right)) continue;
    const at::Tensor factor = gram_factor(of_columns ? span.basis.right() : span.basis.left(), workspace);
    if (!factor.defined()) return std::nan("");
    if (factor.is_meta()) continue;
    inside = of_columns ? solved(factor, inside.t()).t() : solved(factor, inside);
  }
  return kernels::sum_squares(inside);
}

// The mean squared norm of G w, w columns of normal numbers less their part inside the span (Hutchinson's
// estimator of a trace, 1990). It has no bias, since the search knows none of the columns, and a relative
// standard deviation of at most sqrt(2 / 16), where one direction alone is left outside. Not of side `both`.
double outside_squared_norm(const GradientOperator& gradient, const BasisSpan& span, Workspace& workspace) {
  const bool is_left = span.side == Side::left;
  const int64_t rows = is_left ? gradient.rows() : gradient.columns();
  const int64_t others = is_left ? gradient.columns() : gradient.rows();
  const auto buffer = [&](const char* name, int64_t size) {
    return workspace.get(Owner::workspace, name, {size, kProbes}, at::kFloat);
  };
  const at::Tensor probes = buffer("energy.probes", rows);
  const at::Tensor inside = buffer("energy.inside", span.basis.rank());
  random_normal(probes, 1, RandomStream(0, "captured energy"));
  const at::Tensor p = is_left ? span.basis.left() : span.basis.right();
  matrix_product(inside, p.t(), probes, Write::replace);
  if (span.oblique) {
    const at::Tensor factor = gram_factor(p, workspace);
    if (!factor.defined()) return std::nan("");
    if (!factor.is_meta()) inside.copy_(at::cholesky_solve(inside.to(at::kDouble), factor));
  }
  const at::Tensor outside = buffer("energy.outside", rows), image = buffer("energy.image", others);
  matrix_product(outside, p, inside.neg_(), Write::replace);
  outside.add_(probes);
  is_left ? gradient.transpose_times(image, outside) : gradient.times(image, outside);
  return kernels::sum_squares(image) / kProbes;
}

}  // namespace

std::optional<double> captured_energy(const GradientOperator& gradient, const at::Tensor& low_rank,
                                      const BasisSpan& span, Workspace& workspace) {
  const std::optional<double> known = gradient.known_squared_norm();
  const double inside = inside_squared_norm(low_rank, span, workspace);
  const double share = inside / (known ? *known : inside + outside_squared_norm(gradient, span, workspace));
  if (!std::isfinite(share)) return std::nullopt;
  return std::clamp(share, 0.0, 1.0);
}

}  // namespace galore
