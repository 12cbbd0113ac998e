// Elementwise sums of two tensors in one pass. The tensors are fp32, contiguous and of equal sizes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace galore::kernels {

enum class Rounded { no, to_bfloat16 };

struct Combination {
  float a, b;
  // rounds the result to the nearest bf16 number (ties to even), stored in fp32
  Rounded rounded = Rounded::no;
};
// Computes out = a x + b y; out may be x or y.
void combine(const at::Tensor& out, const at::Tensor& x, const at::Tensor& y, const Combination& combination);

namespace composed {
void combine(const at::Tensor& out, const at::Tensor& x, const at::Tensor& y, const Combination& combination);
}  // namespace composed

namespace cpu {
struct CombinationTask {
  float* out;
  const float *x, *y;
};
void combine(const CombinationTask& task, int64_t count, const Combination& combination);
}  // namespace cpu

}  // namespace galore::kernels
