#include "kernels/linear_combination.h"

#include <ATen/ATen.h>

#include "core/errors.h"

namespace galore::kernels {
namespace {

void check_terms(const at::Tensor& a, const at::Tensor& b) {
  GALORE_ASSERT(a.is_contiguous() && b.is_contiguous() && a.numel() == b.numel());
}

}  // namespace

void combine(const at::Tensor& out, const at::Tensor& x, const at::Tensor& y,
             const Combination& combination) {
  check_terms(out, x);
  check_terms(out, y);
  if (out.is_meta()) return;
  if (!out.is_cpu()) return composed::combine(out, x, y, combination);
  cpu::combine({out.mutable_data_ptr<float>(), x.const_data_ptr<float>(), y.const_data_ptr<float>()},
               out.numel(), combination);
}

namespace composed {

void combine(const at::Tensor& out, const at::Tensor& x, const at::Tensor& y,
             const Combination& combination) {
  const at::Tensor sum = x * combination.a + y * combination.b;
  out.copy_(combination.rounded == Rounded::no ? sum : sum.to(at::kBFloat16));
}

}  // namespace composed
}  // namespace galore::kernels
