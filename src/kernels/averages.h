// Updates running averages of gradients and rescales the gradient by them, in one pass. All tensors are fp32,
// contiguous and of equal sizes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace galore::kernels {

// average = kept average + entering gradient. The gradient becomes the average or, with `ahead` (Nesterov),
// ahead_entering gradient + kept average.
struct Averaging {
  double kept, entering;
  bool ahead = false;
  double ahead_entering = 1;
};
void average_gradient(const at::Tensor& average, const at::Tensor& gradient, const Averaging& averaging);

// average = kept average + (1 - kept) gradient^2; gradient /= sqrt(average) + epsilon.
struct RootScaling {
  double kept, epsilon;
};
void scale_by_root(const at::Tensor& average, const at::Tensor& gradient, const RootScaling& scaling);

namespace composed {
void average_gradient(const at::Tensor& average, const at::Tensor& gradient, const Averaging& averaging);
void scale_by_root(const at::Tensor& average, const at::Tensor& gradient, const RootScaling& scaling);
}  // namespace composed

namespace cpu {
void average_gradient(float* average, float* gradient, int64_t count, const Averaging& averaging);
void scale_by_root(float* average, float* gradient, int64_t count, const RootScaling& scaling);
}  // namespace cpu

}  // namespace galore::kernels
