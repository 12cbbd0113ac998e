#include "kernels/rotary.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"

namespace galore {

void rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse) {
  GALORE_ASSERT(x.dim() == 4 && x.is_contiguous() && x.size(3) % 2 == 0);
  GALORE_ASSERT(cosine.size(0) == x.size(1) && cosine.size(1) == x.size(3) / 2 && cosine.is_contiguous());
  GALORE_ASSERT(sine.sizes() == cosine.sizes() && sine.is_contiguous());
  if (x.is_meta()) return;
  if (x.is_cpu() && kernels::cpu::rotate(x, cosine, sine, inverse)) return;
  reference::rotate(x, cosine, sine, inverse);
}

namespace reference {

void rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse) {
  const int64_t half = x.size(3) / 2;
  const at::Tensor c = cosine.unsqueeze(1), s = inverse ? -sine.unsqueeze(1) : sine.unsqueeze(1);
  const at::Tensor first = x.narrow(3, 0, half).to(at::kFloat, false, true);
  const at::Tensor second = x.narrow(3, half, half).to(at::kFloat, false, true);
  x.narrow(3, 0, half).copy_(first * c - second * s);
  x.narrow(3, half, half).copy_(second * c + first * s);
}

}  // namespace reference
}  // namespace galore
