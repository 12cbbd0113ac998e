#include "kernels/gelu.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

const char* approximation(Gelu kind) { return kind == Gelu::tanh ? "tanh" : "none"; }

void check_gelu(const at::Tensor& a, const at::Tensor& b) {
  GALORE_ASSERT(a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type());
  GALORE_ASSERT(a.is_contiguous() && b.is_contiguous());
}

void gelu_composed(const at::Tensor& out, const at::Tensor& x, Gelu kind) {
  at::Tensor result = out;
  at::gelu_out(result, x, approximation(kind));
}

void gelu_backward_composed(const at::Tensor& x, const at::Tensor& gradient, Gelu kind) {
  at::Tensor result = x;
  at::gelu_backward_out(result, gradient, x, approximation(kind));
}

const kernels::Operation<decltype(gelu)> kGelu("gelu", {.composed = gelu_composed});
const kernels::Operation<decltype(gelu_backward)> kGeluBackward("gelu_backward",
                                                                {.composed = gelu_backward_composed});

}  // namespace

void gelu(const at::Tensor& out, const at::Tensor& x, Gelu kind) {
  check_gelu(out, x);
  kGelu(out, out, x, kind);
}

void gelu_backward(const at::Tensor& x, const at::Tensor& gradient, Gelu kind) {
  check_gelu(x, gradient);
  kGeluBackward(x, x, gradient, kind);
}

}  // namespace galore
