#include "kernels/orthonormalize.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/errors.h"
#include "kernels/matmul.h"
#include "kernels/serial_lapack.h"

namespace galore {
namespace {

constexpr int64_t kPieceRows = 1024;  // of the fp64 copy that a Gram matrix is summed from
// A pivot below this share of its diagonal entry has lost the digits that fp32 data carry.
constexpr double kSmallestPivot = 1e-12;

at::Tensor square(const char* name, int64_t size, Workspace& workspace) {
  return workspace.get(Owner::workspace, name, {size, size}, at::kDouble);
}

// inverse (c x c, fp64) = R^-1 with gram = R^T R; false when the Gram matrix is not safely positive.
bool inverse_factor(const at::Tensor& inverse, const at::Tensor& gram, Workspace& workspace) {
  const int64_t size = gram.size(0);
  at::Tensor factor = square("orthonormalize.factor", size, workspace), result = inverse;
  if (gram.is_meta()) return true;
  const SerialLapack serial(size);
  const auto [upper, info] = at::linalg_cholesky_ex(gram, /*upper=*/true);
  if (info.item<int64_t>() != 0) return false;
  factor.copy_(upper);
  const at::Tensor pivots = factor.diagonal().square() / gram.diagonal();
  if (!(pivots.min().item<double>() > kSmallestPivot)) return false;
  at::linalg_solve_triangular_out(result, factor, at::eye(size, gram.options()), /*upper=*/true);
  return true;
}

// One pass: out = matrix R^-1. False, having written nothing, when R is not to be had.
bool cholesky_pass(const at::Tensor& out, const at::Tensor& matrix, const at::Tensor& gram,
                   Workspace& workspace) {
  const int64_t size = matrix.size(1);
  const at::Tensor inverse = square("orthonormalize.inverse", size, workspace);
  const at::Tensor narrow =
      workspace.get(Owner::workspace, "orthonormalize.narrow", {size, size}, at::kFloat);
  if (!inverse_factor(inverse, gram, workspace)) return false;
  narrow.copy_(inverse);
  matrix_product(out, matrix, narrow, Write::replace);
  return true;
}

}  // namespace

void gram_matrix(const at::Tensor& out, const at::Tensor& matrix, Workspace& workspace) {
  const int64_t rows = matrix.size(0), step = std::min(rows, kPieceRows);
  const at::Tensor copy =
      workspace.get(Owner::workspace, "orthonormalize.piece", {step, matrix.size(1)}, at::kDouble);
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    const at::Tensor piece = copy.narrow(0, 0, count);
    piece.copy_(matrix.narrow(0, first, count));
    matrix_product(out, piece.t(), piece, first == 0 ? Write::replace : Write::accumulate);
  }
}

void orthonormalize(const at::Tensor& matrix, Workspace& workspace) {
  GALORE_ASSERT(matrix.size(0) >= matrix.size(1) && matrix.scalar_type() == at::kFloat);
  const at::Tensor product =
      workspace.get(Owner::workspace, "orthonormalize.product", matrix.sizes(), at::kFloat);
  const at::Tensor gram = square("orthonormalize.gram", matrix.size(1), workspace);
  gram_matrix(gram, matrix, workspace);
  if (cholesky_pass(product, matrix, gram, workspace)) {
    // Near the identity now, so fp32 sums are as good as the result can be.
    const at::Tensor narrow =
        workspace.get(Owner::workspace, "orthonormalize.narrow", gram.sizes(), at::kFloat);
    matrix_product(narrow, product.t(), product, Write::replace);
    gram.copy_(narrow);
    if (cholesky_pass(matrix, product, gram, workspace)) return;
  }
  const SerialLapack serial(matrix.size(1));
  if (!matrix.is_meta()) matrix.copy_(std::get<0>(at::linalg_qr(matrix)));
}

}  // namespace galore
