#include "kernels/newton_schulz.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/errors.h"
#include "kernels/cpu_features.h"
#include "kernels/matmul.h"

namespace galore {
namespace {

using kernels::combine;
using kernels::Rounded;

float single(double x) { return static_cast<float>(x); }

// The smaller side from which on the processor's bf16 products are used; below it, starting them costs more.
constexpr int64_t kSmallestBf16Side = 128;

bool in_bf16(const at::Tensor& x, const NewtonSchulz& iteration) {
  if (iteration.rounded == Rounded::no) return false;
  return x.is_cuda() || (has_fast_bf16() && std::min(x.size(0), x.size(1)) >= kSmallestBf16Side);
}

struct Buffers {
  at::Tensor gram, square, other;
};

Buffers buffers_for(const at::Tensor& x, at::ScalarType dtype, Workspace& workspace) {
  const int64_t small = std::min(x.size(0), x.size(1));
  const auto get = [&](const char* name, at::IntArrayRef shape) {
    return workspace.get(Owner::workspace, name, shape, dtype);
  };
  return {get("newton_schulz.gram", {small, small}), get("newton_schulz.square", {small, small}),
          get("newton_schulz.other", x.sizes())};
}

bool is_tall(const at::Tensor& x) { return x.size(0) > x.size(1); }

// Computes the factor of X, of the smaller side, in buffers.square. In fp32 it includes a, so that nothing is
// added to X itself.
void form_factor(const Buffers& buffers, const NewtonSchulz& iteration) {
  symmetric_product(buffers.square, buffers.gram);
  combine(buffers.square, buffers.gram, buffers.square,
          {single(iteration.b), single(iteration.c), iteration.rounded});
  if (iteration.rounded == Rounded::no && !buffers.square.is_meta())
    buffers.square.diagonal().add_(iteration.a);
}

void step(at::Tensor& x, Buffers& buffers, const NewtonSchulz& iteration) {
  const bool tall = is_tall(x);
  symmetric_product(buffers.gram, tall ? x.t() : x);
  if (iteration.rounded != Rounded::no)
    combine(buffers.gram, buffers.gram, buffers.gram, {1, 0, iteration.rounded});
  form_factor(buffers, iteration);
  matrix_product(buffers.other, tall ? x : buffers.square, tall ? buffers.square : x, Write::replace);
  if (iteration.rounded == Rounded::no) return std::swap(x, buffers.other);
  combine(x, x, buffers.other, {single(iteration.a), 1, iteration.rounded});
}

// x and buffers are bf16.
void bf16_step(at::Tensor& x, Buffers& buffers, const NewtonSchulz& iteration) {
  symmetric_product(buffers.gram, is_tall(x) ? x.t() : x);
  if (x.is_meta()) return;
  const at::Tensor &gram = buffers.gram, &square = buffers.square;
  at::addmm_out(buffers.square, gram, gram, gram, iteration.b, iteration.c);
  at::addmm_out(buffers.other, x, is_tall(x) ? x : square, is_tall(x) ? square : x, iteration.a, 1);
  std::swap(x, buffers.other);
}

at::Tensor bf16_newton_schulz(const at::Tensor& x, const NewtonSchulz& iteration, Workspace& workspace) {
  Buffers buffers = buffers_for(x, at::kBFloat16, workspace);
  at::Tensor iterate =
      workspace.get(Owner::workspace, "newton_schulz.iterate", x.sizes(), at::kBFloat16).copy_(x);
  for (int64_t i = 0; i < iteration.steps; ++i) bf16_step(iterate, buffers, iteration);
  return x.copy_(iterate);
}

}  // namespace

at::Tensor newton_schulz(const at::Tensor& x, const NewtonSchulz& iteration, Workspace& workspace) {
  GALORE_ASSERT(x.dim() == 2 && x.is_contiguous() && x.scalar_type() == at::kFloat);
  if (in_bf16(x, iteration)) return bf16_newton_schulz(x, iteration, workspace);
  Buffers buffers = buffers_for(x, at::kFloat, workspace);
  at::Tensor result = x;
  if (iteration.rounded != Rounded::no) combine(result, result, result, {1, 0, iteration.rounded});
  for (int64_t i = 0; i < iteration.steps; ++i) step(result, buffers, iteration);
  return result;
}

}  // namespace galore
