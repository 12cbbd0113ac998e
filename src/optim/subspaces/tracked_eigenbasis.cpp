#include "optim/subspaces/tracked_eigenbasis.h"

#include <ATen/ATen.h>

#include "kernels/apply_direction.h"
#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "kernels/random_normal.h"
#include "kernels/serial_lapack.h"

namespace galore {
namespace {

at::Tensor buffer(Workspace& workspace, const char* name, int64_t rows, int64_t columns) {
  return workspace.get(Owner::workspace, name, {rows, columns}, at::kFloat);
}

// Computes out (n x r) = G^T x.
void inner(const at::Tensor& out, const GradientOperator& gradient, const at::Tensor& x, Side side) {
  side == Side::left ? gradient.transpose_times(out, x) : gradient.times(out, x);
}
// Computes out (m x r) = G y.
void outer(const at::Tensor& out, const GradientOperator& gradient, const at::Tensor& y, Side side) {
  side == Side::left ? gradient.times(out, y) : gradient.transpose_times(out, y);
}

// Computes image (m x r) = Q U.
void multiply_basis(const at::Tensor& image, const at::Tensor& probe, const GradientOperator& gradient,
                    const TrackedEigenbasis& state) {
  inner(probe, gradient, state.old, state.side);
  outer(image, gradient, probe, state.side);
  image.mul_(1 - state.beta);
  at::Tensor part = buffer(state.workspace, "subspace.turn", state.tracked.size(0), state.tracked.size(1));
  at::mul_out(part, state.tracked, at::scalar_tensor(state.beta, part.options()));
  matrix_product(image, state.old, part, Write::accumulate);
}

// Returns X^T Q X in fp64, because fp32 rounding hides the squares of small values.
at::Tensor projected(const at::Tensor& x, const at::Tensor& probe, const TrackedEigenbasis& state) {
  const int64_t rank = x.size(1);
  const at::Tensor gram = state.workspace.get(Owner::workspace, "subspace.gram", {rank, rank}, at::kDouble);
  gram_matrix(gram, probe, state.workspace);
  if (gram.is_meta()) return gram;
  const at::Tensor overlap = x.t().mm(state.old).to(at::kDouble);
  return gram * (1 - state.beta) + overlap.mm(state.tracked.to(at::kDouble)).mm(overlap.t()) * state.beta;
}

at::Tensor eigenvectors(const at::Tensor& symmetric) {
  try {
    const SerialLapack serial(symmetric.size(0));
    return std::get<1>(at::linalg_eigh(symmetric)).flip({1}).to(at::kFloat);
  } catch (const c10::Error&) {
    return {};  // LAPACK did not converge
  }
}

}  // namespace

at::Tensor leading_eigenvectors(const GradientOperator& gradient, const TrackedEigenbasis& state) {
  const at::Tensor& old = state.old;
  const int64_t rank = old.size(1);
  const int64_t others = state.side == Side::left ? gradient.columns() : gradient.rows();
  const at::Tensor image = buffer(state.workspace, "subspace.image", old.size(0), rank);
  const at::Tensor probe = buffer(state.workspace, "subspace.probe", others, rank);
  const at::Tensor found = buffer(state.workspace, "subspace.found_left", old.size(0), rank);
  multiply_basis(image, probe, gradient, state);
  if (!gradient.usable() || (!image.is_meta() && kernels::sum_squares(image) == 0)) return {};
  orthonormalize(image, state.workspace);
  inner(probe, gradient, image, state.side);
  const at::Tensor small = projected(image, probe, state);
  if (small.is_meta()) return found;
  const at::Tensor turn = eigenvectors(small);
  if (!turn.defined()) return {};
  matrix_product(found, image, turn.contiguous(), Write::replace);
  return found.mul_(at::where((found * old).sum(0) < 0, -1.0f, 1.0f));
}

void switch_directions(const at::Tensor& basis, int64_t kept, const RandomStream& random,
                       Workspace& workspace) {
  const int64_t rows = basis.size(0), rank = basis.size(1), drawn = rank - std::min(kept, rank);
  if (drawn == 0) return;
  const at::Tensor fresh = buffer(workspace, "subspace.fresh", rows, drawn);
  random_normal(fresh, 1, random);
  const at::Tensor known = rows - rank >= drawn ? basis : basis.narrow(1, 0, rank - drawn);
  const at::Tensor part = buffer(workspace, "subspace.part", known.size(1), drawn);
  matrix_product(part, known.t(), fresh, Write::replace);
  matrix_product(fresh, known, part.neg_(), Write::accumulate);
  orthonormalize(fresh, workspace);
  if (!basis.is_meta()) basis.narrow(1, rank - drawn, drawn).copy_(fresh);
}

}  // namespace galore
