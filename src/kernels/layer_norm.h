// Layer normalization (Ba, Kiros and Hinton, 2016): y = (x - mean) / sqrt(variance + eps) * weight + bias,
// over the last dimension. Legend: T tokens, n features.
//
// x, y and gradients are fp32 or bf16 (all the same); weight, bias, statistics and sums are fp32.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"

namespace galore {

struct LayerNormInputs {
  at::Tensor x;           // T x n
  at::Tensor statistics;  // T x 2: mean and 1 / sqrt(variance + eps)
  at::Tensor weight;      // n
};

void layer_norm_statistics(const at::Tensor& statistics, const at::Tensor& x, double epsilon);
void layer_norm(const at::Tensor& out, const LayerNormInputs& inputs, const at::Tensor& bias);

struct LayerNormGradients {
  at::Tensor x;             // T x n; the gradient is added to it
  at::Tensor weight, bias;  // fp32, n; they are overwritten
};

// Sums over tokens run in a fixed order, whatever the number of threads.
void layer_norm_backward(const LayerNormGradients& gradients, const at::Tensor& gradient,
                         const LayerNormInputs& inputs, Workspace& workspace);

namespace reference {
void layer_norm_statistics(const at::Tensor& statistics, const at::Tensor& x, double epsilon);
void layer_norm(const at::Tensor& out, const LayerNormInputs& inputs, const at::Tensor& bias);
void layer_norm_backward(const LayerNormGradients& gradients, const at::Tensor& gradient,
                         const LayerNormInputs& inputs);
}  // namespace reference

}  // namespace galore
