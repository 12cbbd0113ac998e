#include "kernels/apply_direction.h"

#include <cmath>
#include <limits>

#include "kernels/cuda/device_test.h"
#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;

TEST_F(OnCuda, BFloat16WeightsEqualTheCpu) {
  const RandomStream stream(7, "rounding", "w", 3);
  for (const int64_t count : {1L, 7L, 8L, 100003L, (1L << 21) + 3}) {
    for (const RandomStream* stochastic : {static_cast<const RandomStream*>(nullptr), &stream}) {
      at::Tensor weight = random({count}, at::kBFloat16, 1);
      at::Tensor direction = random({count}, at::kFloat, 2);
      direction.narrow(0, 0, 1).fill_(std::numeric_limits<float>::infinity());
      at::Tensor device_weight = on_cuda(weight);
      const WeightUpdate update{1e-3, 0.999, 0.99, stochastic};
      apply_direction(update, direction, weight);
      apply_direction(update, on_cuda(direction), device_weight);
      EXPECT_TRUE(same_bits(device_weight, weight)) << count;
      round_into(direction, weight, stochastic);
      round_into(on_cuda(direction), device_weight, stochastic);
      EXPECT_TRUE(same_bits(device_weight, weight)) << count;
    }
  }
}

TEST_F(OnCuda, SumSquaresIsRepeatableAndSeesNaN) {
  at::Tensor values = random({300001}, at::kFloat, 4), device = on_cuda(values);
  EXPECT_NEAR(sum_squares(device) / sum_squares(values), 1, 1e-12);  // fp64 sums in another order
  EXPECT_EQ(sum_squares(device), sum_squares(device));
  device.narrow(0, 12345, 1).fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(std::isnan(sum_squares(device)));
}

}  // namespace
}  // namespace galore::kernels
