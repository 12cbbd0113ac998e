#include "optim/subspaces/orthogonal.h"

#include <ATen/ATen.h>

#include <string>

#include "kernels/orthonormalize.h"
#include "kernels/random_normal.h"

namespace galore {
namespace {

at::Tensor orthonormal(int64_t rows, const char* side, const RandomStream& stream,
                       const BasisRequest& request) {
  const at::Tensor basis = request.workspace.get(Owner::workspace, std::string("subspace.found_") + side,
                                                 {rows, request.rank}, at::kFloat);
  random_normal(basis, 1, stream);
  orthonormalize(basis, request.workspace);
  return basis;
}

}  // namespace

RandomStream second_stream(const RandomStream& stream) {
  return {{stream.key()[0] + 1, stream.key()[1]}, stream.step()};
}

std::optional<SingularVectors> find_at_random(const GradientOperator& gradient, const BasisRequest& request) {
  const RandomStream& stream = request.random;
  SingularVectors found;
  if (request.side != Side::right) found.left = orthonormal(gradient.rows(), "left", stream, request);
  if (request.side != Side::left)
    found.right = orthonormal(gradient.columns(), "right",
                              request.side == Side::both ? second_stream(stream) : stream, request);
  found.values = at::ones({request.rank}, at::kFloat);
  return found;
}

}  // namespace galore
