#include "kernels/linear_combination.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

void check_terms(const at::Tensor& a, const at::Tensor& b) {
  GALORE_ASSERT(a.is_contiguous() && b.is_contiguous() && a.numel() == b.numel());
}

void combine_on_cpu(const at::Tensor& out, const at::Tensor& x, const at::Tensor& y,
                    const Combination& combination) {
  cpu::combine({out.mutable_data_ptr<float>(), x.const_data_ptr<float>(), y.const_data_ptr<float>()},
               out.numel(), combination);
}

const Operation<decltype(combine)> kCombine("combine",
                                            {.cpu = combine_on_cpu, .composed = composed::combine});

}  // namespace

void combine(const at::Tensor& out, const at::Tensor& x, const at::Tensor& y,
             const Combination& combination) {
  check_terms(out, x);
  check_terms(out, y);
  kCombine(out, out, x, y, combination);
}

namespace composed {

void combine(const at::Tensor& out, const at::Tensor& x, const at::Tensor& y,
             const Combination& combination) {
  const at::Tensor sum = x * combination.a + y * combination.b;
  out.copy_(combination.rounded == Rounded::no ? sum : sum.to(at::kBFloat16));
}

}  // namespace composed
}  // namespace galore::kernels
