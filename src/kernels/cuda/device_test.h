// The fixture of tests that need a device. Only builds with CUDA have these tests; without a device they are
// skipped.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

namespace galore {

class OnCuda : public testing::Test {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "there is no CUDA device here";
  }
};

inline at::Tensor on_cuda(const at::Tensor& tensor) { return tensor.to(at::kCUDA); }

// Returns true when the tensors are equal to the bit, NaN included.
inline bool same_bits(const at::Tensor& device, const at::Tensor& host) {
  const at::ScalarType bits = host.element_size() == 4   ? at::kInt
                              : host.element_size() == 2 ? at::kShort
                                                         : at::kByte;
  return device.cpu().view(bits).equal(host.view(bits));
}

}  // namespace galore
