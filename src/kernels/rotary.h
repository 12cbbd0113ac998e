// Rotary position embedding (Su et al., "RoFormer", 2021) in transformers' rotate-half convention: feature i
// is rotated together with feature i + D/2.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

// x: rows x length x heads x D (fp32 or bf16, contiguous), rotated in place by the angles whose cosines and
// sines are given: length x D/2, fp32. `inverse` rotates back, which is also the backward pass.
void rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse);

namespace reference {
void rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse);
}

}  // namespace galore
