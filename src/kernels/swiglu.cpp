#include "kernels/swiglu.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

void check_swiglu(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
  GALORE_ASSERT(a.sizes() == b.sizes() && a.sizes() == c.sizes());
  GALORE_ASSERT(a.scalar_type() == b.scalar_type() && a.scalar_type() == c.scalar_type());
  GALORE_ASSERT(a.is_contiguous() && b.is_contiguous() && c.is_contiguous());
}

const kernels::Operation<decltype(swiglu)> kSwiglu(
    "swiglu",
    {.cpu = kernels::or_composed<kernels::cpu::swiglu, reference::swiglu>, .composed = reference::swiglu});
const kernels::Operation<decltype(swiglu_backward)> kSwigluBackward(
    "swiglu_backward",
    {.cpu = kernels::or_composed<kernels::cpu::swiglu_backward, reference::swiglu_backward>,
     .composed = reference::swiglu_backward});

}  // namespace

void swiglu(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up) {
  check_swiglu(out, gate, up);
  kSwiglu(out, out, gate, up);
}

void swiglu_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& product) {
  check_swiglu(gate, up, product);
  kSwigluBackward(gate, gate, up, product);
}

namespace reference {

void swiglu(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up) {
  const at::Tensor g = gate.to(at::kFloat);
  out.copy_(g * g.sigmoid() * up.to(at::kFloat));
}

void swiglu_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& product) {
  const at::Tensor g = gate.to(at::kFloat), u = up.to(at::kFloat), d = product.to(at::kFloat);
  const at::Tensor sigmoid = g.sigmoid(), silu = g * sigmoid;
  const at::Tensor value = silu * u, du = d * silu, dg = d * u * (sigmoid + silu * (1 - sigmoid));
  product.copy_(value);
  up.copy_(du);
  gate.copy_(dg);
}

}  // namespace reference
}  // namespace galore
