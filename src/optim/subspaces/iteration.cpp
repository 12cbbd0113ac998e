#include <ATen/ATen.h>

#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "kernels/random_normal.h"
#include "kernels/serial_lapack.h"
#include "optim/subspaces/subspace.h"

namespace galore {
namespace {

constexpr int64_t kOversampling = 16;  // Halko et al. ask for 5 to 10; the columns are nearly free
constexpr int kColdIterations = 3;     // from random columns alone; see docs/subspace.md

// The buffers of one search. Legend: m x n gradient g, c = rank + oversampling columns.
struct Sketch {
  at::Tensor g;
  at::Tensor image;  // m x c: orthonormal basis Q of the columns of g V
  at::Tensor probe;  // n x c: V, then g^T Q
  int64_t rank;
  Workspace& workspace;
};

// The old basis and, beside it, columns of normal numbers.
void start(const Sketch& sketch, const at::Tensor& previous, const RandomStream& random) {
  const int64_t known = previous.defined() ? previous.size(1) : 0;
  const at::Tensor fresh = sketch.workspace.get(
      Owner::workspace, "subspace.fresh", {sketch.probe.size(0), sketch.probe.size(1) - known}, at::kFloat);
  random_normal(fresh, 1, random);
  if (sketch.probe.is_meta()) return;
  if (known > 0) sketch.probe.narrow(1, 0, known).copy_(previous);
  sketch.probe.narrow(1, known, fresh.size(1)).copy_(fresh);
}

// V = g^T orth(g V): the columns of V turn towards the leading right singular vectors.
void iterate(const Sketch& sketch) {
  matrix_product(sketch.image, sketch.g, sketch.probe, Write::replace);
  orthonormalize(sketch.image, sketch.workspace);
  matrix_product(sketch.probe, sketch.g.t(), sketch.image, Write::replace);
}

// out (rows x rank) = columns turned, each divided by its divisor.
at::Tensor turned(const char* name, const at::Tensor& columns, const at::Tensor& turn, Workspace& workspace) {
  const at::Tensor out = workspace.get(Owner::workspace, name, {columns.size(0), turn.size(1)}, at::kFloat);
  matrix_product(out, columns, turn, Write::replace);
  return out;
}

// Singular vectors of Q Q^T g, from the eigenvectors of the small Gram matrix of g^T Q. That in fp64: the
// squares of small singular values would drown in fp32's rounding of the large ones.
SingularVectors decompose(const Sketch& sketch, bool with_left) {
  const int64_t columns = sketch.probe.size(1);
  Workspace& workspace = sketch.workspace;
  const at::Tensor gram = workspace.get(Owner::workspace, "subspace.gram", {columns, columns}, at::kDouble);
  gram_matrix(gram, sketch.probe, workspace);
  SingularVectors found;
  const at::Tensor turn =
      workspace.get(Owner::workspace, "subspace.turn", {columns, sketch.rank}, at::kFloat);
  if (!gram.is_meta()) {
    const SerialLapack serial(columns);
    const auto [squares, vectors] = at::linalg_eigh(gram);
    turn.copy_(vectors.flip({1}).narrow(1, 0, sketch.rank));
    found.values = squares.flip({0}).narrow(0, 0, sketch.rank).clamp_min(0).sqrt().to(at::kFloat);
  }
  if (with_left) found.left = turned("subspace.found_left", sketch.image, turn, workspace);
  found.right = turned("subspace.found_right", sketch.probe, turn, workspace);
  if (gram.is_meta()) return found;
  // A direction below the rounding of the largest is noise: divided by that rounding, it stays bounded.
  const at::Tensor least = (found.values.select(0, 0) * 1e-7).clamp_min(1e-37);
  found.right.div_(found.values.maximum(least));
  orthonormalize(found.right, workspace);  // the division has magnified rounding in the small ones
  return found;
}

std::optional<SingularVectors> find(const at::Tensor& gradient, const BasisRequest& request, int iterations) {
  if (!gradient.is_meta() && !gradient.isfinite().all().item<bool>()) return std::nullopt;
  Workspace& workspace = request.workspace;
  const at::Tensor g = request.side == Side::left ? gradient.t() : gradient;
  const int64_t columns = std::min(request.rank + kOversampling, std::min(g.size(0), g.size(1)));
  const Sketch sketch{g, workspace.get(Owner::workspace, "subspace.image", {g.size(0), columns}, at::kFloat),
                      workspace.get(Owner::workspace, "subspace.probe", {g.size(1), columns}, at::kFloat),
                      request.rank, workspace};
  start(sketch, request.previous, request.random);
  if (!request.previous.defined()) iterations = kColdIterations;
  try {
    for (int i = 0; i < iterations; ++i) {
      if (i > 0) orthonormalize(sketch.probe, workspace);
      iterate(sketch);
    }
    SingularVectors found = decompose(sketch, request.side == Side::both);
    if (request.side == Side::left) std::swap(found.left, found.right);
    return found;
  } catch (const c10::Error&) {
    return std::nullopt;  // LAPACK did not converge
  }
}

}  // namespace

std::optional<SingularVectors> find_by_randomized_iteration(const at::Tensor& gradient,
                                                            const BasisRequest& request) {
  return find(gradient, request, 2);
}

std::optional<SingularVectors> find_by_warm_iteration(const at::Tensor& gradient,
                                                      const BasisRequest& request) {
  return find(gradient, request, 1);
}

}  // namespace galore
