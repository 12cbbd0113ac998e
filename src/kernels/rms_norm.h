// Root mean square normalization (Zhang and Sennrich, "Root mean square layer normalization", NeurIPS 2019):
// y = x / sqrt(mean(x^2) + eps) * weight, over the last dimension. Legend: T tokens, n features.
//
// x, y and gradients are fp32 or bf16 (all the same); weight, 1/rms and sums are fp32.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"

namespace galore {

// Computes out (T x n) and inverse_rms (T) from x (T x n) and weight (n).
void rms_norm(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
              const at::Tensor& weight, double epsilon);
// Recomputes `out` from the saved inverse_rms, equal to the last bit.
void rms_norm_recompute(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
                        const at::Tensor& weight);

struct RmsNormInputs {
  at::Tensor x, inverse_rms, weight;
};

// Computes x_gradient += dL/dx and weight_gradient (fp32, n) = dL/dweight from the gradient of the output.
// Sums over tokens run in a fixed order, whatever the number of threads.
void rms_norm_backward(const at::Tensor& x_gradient, const at::Tensor& weight_gradient,
                       const at::Tensor& gradient, const RmsNormInputs& inputs, Workspace& workspace);

namespace reference {
void rms_norm(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
              const at::Tensor& weight, double epsilon);
void rms_norm_recompute(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
                        const at::Tensor& weight);
void rms_norm_backward(const at::Tensor& x_gradient, const at::Tensor& weight_gradient,
                       const at::Tensor& gradient, const RmsNormInputs& inputs);
}  // namespace reference

}  // namespace galore
