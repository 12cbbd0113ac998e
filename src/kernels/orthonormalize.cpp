#include "kernels/orthonormalize.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/errors.h"
#include "kernels/matmul.h"
#include "kernels/serial_lapack.h"

namespace galore {
namespace {

constexpr int64_t kPieceRows = 1024;  // rows of the fp64 copy from which a Gram matrix is summed

// For columns of length one: the smallest pivot that is not mere rounding error, and the number that is added
// to the diagonal to avoid smaller ones.
struct Precision {
  double smallest_pivot, shift;
};
// fp32 sums of products of unit columns have errors of at most 1e-6, and small pivots of some 1e-5.
constexpr Precision kFloatSums{1e-3, 0}, kShiftedSums{0, 1e-4};
// Below this the digits of fp32 data are lost with any sums.
constexpr Precision kDoubleSums{1e-12, 0};
constexpr double kSmallestSquare = 1e-30;  // fp32 keeps all its digits down to 1e-38

at::Tensor square(const char* name, int64_t size, Workspace& workspace) {
  return workspace.get(Owner::workspace, name, {size, size}, at::kDouble);
}

// Computes inverse (c x c, fp64) = D R^-1 with D gram D + shift = R^T R, where D makes the diagonal one.
// Returns false when this matrix is not safely positive. Zero columns stay zero.
bool inverse_factor(const at::Tensor& inverse, const at::Tensor& gram, Precision precision,
                    Workspace& workspace) {
  const int64_t size = gram.size(0);
  at::Tensor factor = square("orthonormalize.factor", size, workspace), result = inverse;
  if (gram.is_meta()) return true;
  at::Tensor diagonal = gram.diagonal();
  at::Tensor lengths = diagonal.sqrt();
  lengths.masked_fill_(lengths == 0, 1);
  gram.div_(lengths).div_(lengths.unsqueeze(1));
  diagonal.add_(precision.shift);
  const SerialLapack serial(size);
  const auto [upper, info] = at::linalg_cholesky_ex(gram, /*upper=*/true);
  if (info.item<int64_t>() != 0) return false;
  factor.copy_(upper);
  if (!(factor.diagonal().square().min().item<double>() > precision.smallest_pivot)) return false;
  at::linalg_solve_triangular_out(result, factor, at::eye(size, gram.options()), /*upper=*/true);
  inverse.div_(lengths.unsqueeze(1));
  return true;
}

// Sums the Gram matrix in fp32, unless squares are lost there.
void float_gram(const at::Tensor& gram, const at::Tensor& matrix, Workspace& workspace) {
  const at::Tensor narrow =
      workspace.get(Owner::workspace, "orthonormalize.narrow", gram.sizes(), at::kFloat);
  matrix_product(narrow, matrix.t(), matrix, Write::replace);
  gram.copy_(narrow);
  if (!gram.is_meta() && gram.diagonal().min().item<double>() < kSmallestSquare)
    gram_matrix(gram, matrix, workspace);
}

// Makes one pass: out = matrix D R^-1 from the Gram matrix, which is overwritten. Returns false, without
// writing, when there is no safe R.
bool cholesky_pass(const at::Tensor& out, const at::Tensor& matrix, const at::Tensor& gram,
                   Precision precision, Workspace& workspace) {
  const int64_t size = matrix.size(1);
  const at::Tensor inverse = square("orthonormalize.inverse", size, workspace);
  const at::Tensor narrow =
      workspace.get(Owner::workspace, "orthonormalize.narrow", {size, size}, at::kFloat);
  if (!inverse_factor(inverse, gram, precision, workspace)) return false;
  narrow.copy_(inverse);
  matrix_product(out, matrix, narrow, Write::replace);
  return true;
}

// The pivots of fp32 sums show whether columns need fp64 sums.
bool first_pass(const at::Tensor& out, const at::Tensor& matrix, const at::Tensor& gram,
                Workspace& workspace) {
  float_gram(gram, matrix, workspace);
  if (cholesky_pass(out, matrix, gram, kFloatSums, workspace) && !gram.is_meta()) return true;
  gram_matrix(gram, matrix, workspace);
  return cholesky_pass(out, matrix, gram, kDoubleSums, workspace);
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
  if (first_pass(product, matrix, gram, workspace)) {
    // The matrix is near the identity now, so fp32 sums are as exact as the result can be.
    float_gram(gram, product, workspace);
    if (cholesky_pass(matrix, product, gram, kFloatSums, workspace)) return;
  }
  const SerialLapack serial(matrix.size(1));
  if (!matrix.is_meta()) matrix.copy_(std::get<0>(at::linalg_qr(matrix)));
}

void condition(const at::Tensor& matrix, Workspace& workspace) {
  const at::Tensor product =
      workspace.get(Owner::workspace, "orthonormalize.product", matrix.sizes(), at::kFloat);
  const at::Tensor gram = square("orthonormalize.gram", matrix.size(1), workspace);
  float_gram(gram, matrix, workspace);
  if (!cholesky_pass(product, matrix, gram, kShiftedSums, workspace))
    return orthonormalize(matrix, workspace);
  if (!matrix.is_meta()) matrix.copy_(product);
}

}  // namespace galore
