#include "kernels/polar_factor.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "kernels/apply_direction.h"
#include "kernels/matmul.h"
#include "kernels/newton_schulz.h"
#include "kernels/orthonormalize.h"
#include "kernels/serial_lapack.h"

namespace galore {
namespace {

constexpr int64_t kPolarPieceRows = 1024;  // rows of the fp64 copy that is multiplied
constexpr double kSmallestRatio = 1e-12;   // of a singular value, relative to the largest
constexpr int64_t kSteps = 30;             // singular values from 1e-4 on reach 1

// Computes gram^-1/2 on the span of eigenvalues larger than rounding. Returns false when LAPACK did not
// converge.
bool inverse_root(const at::Tensor& out, const at::Tensor& gram) {
  try {
    const SerialLapack serial(gram.size(0));
    const auto [squares, vectors] = at::linalg_eigh(gram);
    const at::Tensor least = squares.select(0, squares.size(0) - 1).clamp_min(1e-300) * kSmallestRatio;
    const at::Tensor roots = squares.maximum(least).rsqrt().masked_fill(squares <= least, 0);
    at::Tensor result = out;
    at::mm_out(result, vectors * roots, vectors.t());
    return true;
  } catch (const c10::Error&) {
    return false;
  }
}

// Computes out = x factor, with fp64 in between.
void multiply_in_pieces(const at::Tensor& out, const at::Tensor& x, const at::Tensor& factor,
                        Workspace& workspace) {
  const int64_t rows = x.size(0), step = std::min(rows, kPolarPieceRows);
  const at::Tensor copy = workspace.get(Owner::workspace, "polar.piece", {step, x.size(1)}, at::kDouble);
  const at::Tensor product = workspace.get(Owner::workspace, "polar.product", {step, x.size(1)}, at::kDouble);
  if (x.is_meta()) return;
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    const at::Tensor piece = copy.narrow(0, 0, count), result = product.narrow(0, 0, count);
    piece.copy_(x.narrow(0, first, count));
    matrix_product(result, piece, factor, Write::replace);
    out.narrow(0, first, count).copy_(result);
  }
}

void by_products(const at::Tensor& out, const at::Tensor& x, Workspace& workspace) {
  const double norm = std::sqrt(kernels::sum_squares(x));
  at::Tensor start = out;
  at::mul_out(start, x, at::scalar_tensor(norm > 0 ? 1 / norm : 0, x.options()));
  out.copy_(newton_schulz(start, {.a = 1.5, .b = -0.5, .c = 0, .steps = kSteps}, workspace));
}

}  // namespace

at::Tensor polar_factor(const at::Tensor& x, Workspace& workspace) {
  GALORE_ASSERT(x.dim() == 2 && x.is_contiguous() && x.scalar_type() == at::kFloat);
  const int64_t longer = std::max(x.size(0), x.size(1)), shorter = std::min(x.size(0), x.size(1));
  const at::Tensor out = workspace.get(Owner::workspace, "polar.factor", x.sizes(), at::kFloat);
  const at::Tensor gram = workspace.get(Owner::workspace, "polar.gram", {shorter, shorter}, at::kDouble);
  const at::Tensor root = workspace.get(Owner::workspace, "polar.root", {shorter, shorter}, at::kDouble);
  at::Tensor tall = x, tall_out = out;
  if (x.size(0) < x.size(1)) {
    tall = workspace.get(Owner::workspace, "polar.turned", {longer, shorter}, at::kFloat).copy_(x.t());
    tall_out = out.t();
  }
  gram_matrix(gram, tall, workspace);
  if (x.is_meta() || inverse_root(root, gram)) {
    multiply_in_pieces(tall_out, tall, root, workspace);
  } else {
    by_products(out, x, workspace);
  }
  return out;
}

}  // namespace galore
