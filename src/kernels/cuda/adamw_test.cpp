#include "kernels/adamw.h"

#include "kernels/cuda/device_test.h"
#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;

// Compares with the CPU. Neither its vector units nor the kernel round the product of a moment and its beta
// before the sum. The CPU computes its last odd elements in another way, so counts are multiples of 16.
TEST_F(OnCuda, AdamWEqualsTheCpu) {
  for (const int64_t count : {16L, 4096L, 1L << 21}) {
    at::Tensor gradient = random({count}, at::kFloat, 1), m = random({count}, at::kFloat, 2);
    at::Tensor v = random({count}, at::kFloat, 3).square();
    at::Tensor device_gradient = on_cuda(gradient), device_m = on_cuda(m), device_v = on_cuda(v);
    const AdamStep step{0.9, 0.999, 1e-6f, 3.0f};
    adamw_direction(step, gradient, m, v);
    adamw_direction(step, device_gradient, device_m, device_v);
    EXPECT_TRUE(same_bits(device_gradient, gradient));
    EXPECT_TRUE(same_bits(device_m, m));
    EXPECT_TRUE(same_bits(device_v, v));
  }
}

}  // namespace
}  // namespace galore::kernels
