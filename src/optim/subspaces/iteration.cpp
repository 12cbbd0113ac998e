#include "optim/subspaces/iteration.h"

#include <ATen/ATen.h>

#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "kernels/random_normal.h"
#include "kernels/serial_lapack.h"

namespace galore {
namespace {

constexpr int kColdIterations = 3;  // from random columns only; see docs/subspace.md

// The buffers of one search. Legend: g is the gradient, transposed for the left side; it is a x b; c = rank +
// oversampling columns.
struct Sketch {
  const GradientOperator& gradient;
  bool transposed;
  at::Tensor image;  // a x c: orthonormal basis Q of the columns of g V
  at::Tensor probe;  // b x c: V, then g^T Q
  const BasisRequest& request;
};

void fill_with_random(const at::Tensor& columns, const BasisRequest& request) {
  const at::Tensor fresh =
      request.workspace.get(Owner::workspace, "subspace.fresh", columns.sizes(), at::kFloat);
  random_normal(fresh, 1, request.random);
  if (!columns.is_meta()) columns.copy_(fresh);
}

// Starts from the known columns and columns of normal numbers after them.
void start(const at::Tensor& columns, const at::Tensor& known, const BasisRequest& request) {
  const int64_t count = known.defined() ? std::min(known.size(1), columns.size(1)) : 0;
  if (count > 0 && !columns.is_meta()) columns.narrow(1, 0, count).copy_(known.narrow(1, 0, count));
  if (count < columns.size(1)) fill_with_random(columns.narrow(1, count, columns.size(1) - count), request);
}

// Computes V = g^T orth(Q). Only the last Q must be orthonormal.
void finish_iteration(const Sketch& sketch, bool is_last) {
  is_last ? orthonormalize(sketch.image, sketch.request.workspace)
          : condition(sketch.image, sketch.request.workspace);
  sketch.transposed ? sketch.gradient.times(sketch.probe, sketch.image)
                    : sketch.gradient.transpose_times(sketch.probe, sketch.image);
}

// Computes V = g^T orth(g V), which rotates the columns of V towards the leading right singular vectors.
// Returns false when they are not finite.
bool iterate(const Sketch& sketch, bool is_last) {
  sketch.transposed ? sketch.gradient.transpose_times(sketch.image, sketch.probe)
                    : sketch.gradient.times(sketch.image, sketch.probe);
  if (!sketch.gradient.usable()) return false;
  finish_iteration(sketch, is_last);
  return true;
}

// Computes out (rows x rank) = columns times turn, each divided by its divisor.
at::Tensor turned(const char* name, const at::Tensor& columns, const at::Tensor& turn, Workspace& workspace) {
  const at::Tensor out = workspace.get(Owner::workspace, name, {columns.size(0), turn.size(1)}, at::kFloat);
  matrix_product(out, columns, turn, Write::replace);
  return out;
}

// Returns singular vectors of Q Q^T g from the eigenvectors of the small Gram matrix of g^T Q. The Gram
// matrix is in fp64, because fp32 rounding of large squared singular values would hide the small ones.
SingularVectors decompose(const Sketch& sketch, bool with_image) {
  const int64_t columns = sketch.probe.size(1), rank = std::min(sketch.request.rank, columns);
  Workspace& workspace = sketch.request.workspace;
  const at::Tensor gram = workspace.get(Owner::workspace, "subspace.gram", {columns, columns}, at::kDouble);
  gram_matrix(gram, sketch.probe, workspace);
  SingularVectors found;
  const at::Tensor turn = workspace.get(Owner::workspace, "subspace.turn", {columns, rank}, at::kFloat);
  if (!gram.is_meta()) {
    const SerialLapack serial(columns);
    const auto [squares, vectors] = at::linalg_eigh(gram);
    turn.copy_(vectors.flip({1}).narrow(1, 0, rank));
    found.values = squares.flip({0}).narrow(0, 0, rank).clamp_min(0).sqrt().to(at::kFloat);
  }
  if (with_image) found.left = turned("subspace.found_left", sketch.image, turn, workspace);
  found.right = turned("subspace.found_right", sketch.probe, turn, workspace);
  if (gram.is_meta()) return found;
  // A direction below the rounding error of the largest is noise. Dividing by this rounding error keeps it
  // bounded.
  const at::Tensor least = (found.values.select(0, 0) * 1e-7).clamp_min(1e-37);
  found.right.div_(found.values.maximum(least));
  orthonormalize(found.right, workspace);  // the division has magnified rounding errors in small directions
  return found;
}

// Returns the same span by QR only, in the order of the columns, so that they stay at the places of the old
// ones.
SingularVectors keep_axes(const Sketch& sketch, bool with_image) {
  const int64_t rank = std::min(sketch.request.rank, sketch.probe.size(1));
  Workspace& workspace = sketch.request.workspace;
  SingularVectors found;
  found.right =
      workspace.get(Owner::workspace, "subspace.found_right", {sketch.probe.size(0), rank}, at::kFloat);
  if (with_image) found.left = sketch.image.narrow(1, 0, rank);
  if (sketch.probe.is_meta()) return found;
  found.right.copy_(sketch.probe.narrow(1, 0, rank));
  const at::Tensor largest = at::linalg_vector_norm(found.right, 2, {0}).max();
  found.values = largest.expand({rank});  // in no order: all are taken, unless the gradient is zero
  orthonormalize(found.right, workspace);
  return found;
}

// The sketch takes Q from the average of low-rank gradients; its columns have nearly the same span as g V.
bool start_from_average(const Sketch& sketch) {
  const BasisRequest& request = sketch.request;
  if (!request.average.defined() || !request.previous.defined() || request.side == Side::both) return false;
  if (!sketch.image.is_meta() && !request.average.any().item<bool>()) return false;
  start(sketch.image, request.side == Side::left ? request.average.t() : request.average, request);
  finish_iteration(sketch, /*is_last=*/true);
  return true;
}

bool iterate_from_basis(const Sketch& sketch, int iterations) {
  const BasisRequest& request = sketch.request;
  start(sketch.probe, request.previous, request);
  for (int i = 0; i < iterations; ++i) {
    if (i > 0) condition(sketch.probe, request.workspace);
    if (!iterate(sketch, i + 1 == iterations)) return false;
  }
  return true;
}

// Returns true when forming the gradient in one m x n buffer, which all weights share, saves work. This
// depends on the number of products and of tokens.
bool forming_is_cheaper(const GradientOperator& gradient, int64_t columns, int iterations) {
  const int64_t m = gradient.rows(), n = gradient.columns(), tokens = gradient.tokens();
  const int64_t by_factors = iterations * 2 * tokens * columns * (m + n);
  return tokens > 0 && by_factors > tokens * m * n + iterations * 2 * m * n * columns;
}

std::optional<SingularVectors> search(const GradientOperator& gradient, const BasisRequest& request,
                                      int64_t columns, int iterations) {
  const bool transposed = request.side == Side::left, with_image = request.side == Side::both;
  const int64_t a = transposed ? gradient.columns() : gradient.rows();
  const int64_t b = transposed ? gradient.rows() : gradient.columns();
  Workspace& workspace = request.workspace;
  const Sketch sketch{gradient, transposed,
                      workspace.get(Owner::workspace, "subspace.image", {a, columns}, at::kFloat),
                      workspace.get(Owner::workspace, "subspace.probe", {b, columns}, at::kFloat), request};
  if (iterations > 0 || !start_from_average(sketch))
    if (!iterate_from_basis(sketch, std::max(iterations, 1))) return std::nullopt;
  if (!gradient.usable()) return std::nullopt;
  SingularVectors found = request.rotate ? decompose(sketch, with_image) : keep_axes(sketch, with_image);
  if (transposed) std::swap(found.left, found.right);
  return found;
}

std::optional<SingularVectors> find(const GradientOperator& gradient, const BasisRequest& request,
                                    int iterations) {
  const int64_t columns = std::min(request.rank + request.oversampling, gradient.rank_bound());
  if (!request.previous.defined()) iterations = kColdIterations;
  try {
    if (forming_is_cheaper(gradient, columns, iterations))
      return find(DenseGradient(gradient.dense()), request, iterations);
    if (!gradient.usable()) return std::nullopt;
    return search(gradient, request, columns, iterations);
  } catch (const c10::Error&) {
    return std::nullopt;  // LAPACK did not converge
  }
}

}  // namespace

std::optional<SingularVectors> find_by_randomized_iteration(const GradientOperator& gradient,
                                                            const BasisRequest& request) {
  return find(gradient, request, 2);
}

std::optional<SingularVectors> find_by_warm_iteration(const GradientOperator& gradient,
                                                      const BasisRequest& request) {
  return find(gradient, request, 1);
}

std::optional<SingularVectors> find_by_sketch(const GradientOperator& gradient, const BasisRequest& request) {
  return find(gradient, request, 0);
}

}  // namespace galore
