// The gated activation of LLaMA's MLP: silu(gate) * up (Shazeer, "GLU variants improve transformer", 2020,
// SwiGLU). Tensors have one shape and dtype, fp32 or bf16, and are contiguous; the computation is in fp32.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

void swiglu(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up);

// Works in place, so that the backward pass needs one large buffer instead of four. `product` holds the
// gradient of the product and becomes the product itself, recomputed; `gate` and `up` become their own
// gradients.
void swiglu_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& product);

namespace reference {
void swiglu(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up);
void swiglu_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& product);
}  // namespace reference

}  // namespace galore
