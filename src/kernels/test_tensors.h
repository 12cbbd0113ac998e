// Random tensors and comparisons for the tests of kernels.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

namespace galore::testing_tensors {

inline at::Tensor random(at::IntArrayRef shape, at::ScalarType dtype, uint64_t seed) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kFloat)).to(dtype);
}

inline double relative_difference(const at::Tensor& given, const at::Tensor& expected) {
  const at::Tensor a = given.to(at::kDouble), b = expected.to(at::kDouble);
  return ((a - b).norm() / b.norm().clamp_min(1e-30)).item<double>();
}

// Returns the tolerance against a composed version that also computes in fp32: some fp32 roundings in another
// order or, if the result is stored in bf16, one rounding of 2^-9 that may go to the other side.
inline double tolerance(at::ScalarType dtype) { return dtype == at::kFloat ? 2e-6 : 4e-3; }

}  // namespace galore::testing_tensors
