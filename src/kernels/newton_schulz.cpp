#include "kernels/newton_schulz.h"

#include <ATen/ATen.h>

#include <utility>

#include "core/errors.h"
#include "kernels/matmul.h"

namespace galore {
namespace {

using kernels::combine;
using kernels::Rounded;

float single(double x) { return static_cast<float>(x); }

struct Buffers {
  at::Tensor gram, square, other;
};

Buffers buffers_for(const at::Tensor& x, Workspace& workspace) {
  const int64_t small = std::min(x.size(0), x.size(1));
  const auto get = [&](const char* name, at::IntArrayRef shape) {
    return workspace.get(Owner::workspace, name, shape, at::kFloat);
  };
  return {get("newton_schulz.gram", {small, small}), get("newton_schulz.square", {small, small}),
          get("newton_schulz.other", x.sizes())};
}

// The factor of X, of the smaller side, in buffers.square. In fp32 it holds a too, so that nothing is added
// to X itself.
void form_factor(const Buffers& buffers, const NewtonSchulz& iteration) {
  matrix_product(buffers.square, buffers.gram, buffers.gram, Write::replace);
  combine(buffers.square, buffers.gram, buffers.square,
          {single(iteration.b), single(iteration.c), iteration.rounded});
  if (iteration.rounded == Rounded::no && !buffers.square.is_meta())
    buffers.square.diagonal().add_(iteration.a);
}

void step(at::Tensor& x, Buffers& buffers, const NewtonSchulz& iteration) {
  const bool tall = x.size(0) > x.size(1);
  matrix_product(buffers.gram, tall ? x.t() : x, tall ? x : x.t(), Write::replace);
  if (iteration.rounded != Rounded::no)
    combine(buffers.gram, buffers.gram, buffers.gram, {1, 0, iteration.rounded});
  form_factor(buffers, iteration);
  matrix_product(buffers.other, tall ? x : buffers.square, tall ? buffers.square : x, Write::replace);
  if (iteration.rounded == Rounded::no) return std::swap(x, buffers.other);
  combine(x, x, buffers.other, {single(iteration.a), 1, iteration.rounded});
}

}  // namespace

at::Tensor newton_schulz(const at::Tensor& x, const NewtonSchulz& iteration, Workspace& workspace) {
  GALORE_ASSERT(x.dim() == 2 && x.is_contiguous() && x.scalar_type() == at::kFloat);
  Buffers buffers = buffers_for(x, workspace);
  at::Tensor result = x;
  if (iteration.rounded != Rounded::no) combine(result, result, result, {1, 0, iteration.rounded});
  for (int64_t i = 0; i < iteration.steps; ++i) step(result, buffers, iteration);
  return result;
}

}  // namespace galore
