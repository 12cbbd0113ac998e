#include "optim/subspaces/grassmann_step.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "kernels/serial_lapack.h"

namespace galore {
namespace {

struct Triple {
  double sigma = 0;
  at::Tensor right;  // r x 1, fp32
};

// Uses the eigenvectors of D^T D; sigma is 0 when there is none.
Triple leading_right(const at::Tensor& tangent, Workspace& workspace) {
  const int64_t rank = tangent.size(1);
  const at::Tensor gram = workspace.get(Owner::workspace, "subspace.gram", {rank, rank}, at::kDouble);
  gram_matrix(gram, tangent, workspace);
  if (gram.is_meta()) return {};
  try {
    const SerialLapack serial(rank);
    const auto [squares, vectors] = at::linalg_eigh(gram);
    const double square = squares.select(0, rank - 1).item<double>();
    return {std::sqrt(std::max(0.0, square)), vectors.narrow(1, rank - 1, 1).to(at::kFloat)};
  } catch (const c10::Error&) {
    return {};  // LAPACK did not converge, so the basis stays
  }
}

}  // namespace

at::Tensor grassmann_step(const GradientOperator& gradient, Side side, const at::Tensor& basis,
                          double step_size, Workspace& workspace) {
  const bool left = side == Side::left;
  const int64_t rank = basis.size(1), others = left ? gradient.columns() : gradient.rows();
  const auto get = [&](const char* name, int64_t rows, int64_t columns) {
    return workspace.get(Owner::workspace, name, {rows, columns}, at::kFloat);
  };
  const at::Tensor inside = get("subspace.image", others, rank);  // A^T
  const at::Tensor tangent = get("subspace.probe", basis.size(0), rank);
  const at::Tensor overlap = get("subspace.turn", rank, rank);
  left ? gradient.transpose_times(inside, basis) : gradient.times(inside, basis);
  left ? gradient.times(tangent, inside) : gradient.transpose_times(tangent, inside);
  if (!gradient.usable()) return {};
  matrix_product(overlap, basis.t(), tangent, Write::replace);
  matrix_product(tangent, basis, overlap.neg_(), Write::accumulate);  // D / 2
  const Triple leading = leading_right(tangent, workspace);
  const at::Tensor moved = get("subspace.found_left", basis.size(0), rank);
  if (!basis.is_meta() && leading.sigma > 0) {
    const at::Tensor u = tangent.mm(leading.right) / leading.sigma;
    const double along = inside.mm(leading.right).square().sum().item<double>();
    const double angle = step_size * std::atan2(leading.sigma, along);
    const at::Tensor change = basis.mm(leading.right) * (std::cos(angle) - 1) + u * std::sin(angle);
    moved.copy_(basis).addmm_(change, leading.right.t());
  }
  if (!basis.is_meta() && leading.sigma == 0) return {};
  orthonormalize(moved, workspace);  // removes rounding errors that add up over many steps
  return moved;
}

}  // namespace galore
