// The Gaussian error linear unit x Phi(x) (Hendrycks and Gimpel, 2016): exact, or by the tanh that GPT-2
// uses. Tensors have one shape and dtype, fp32 or bf16, and are contiguous; the computation is in fp32.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

enum class Gelu { exact, tanh };

void gelu(const at::Tensor& out, const at::Tensor& x, Gelu kind);
// Replaces x by its gradient, computed from the gradient of the output.
void gelu_backward(const at::Tensor& x, const at::Tensor& gradient, Gelu kind);

}  // namespace galore
