#include "kernels/rotary.h"

#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

class Rotary : public testing::TestWithParam<std::tuple<at::ScalarType, int64_t>> {};

TEST_P(Rotary, IsTheComposedOneAndTurnsBack) {
  const auto [dtype, dim] = GetParam();
  const at::Tensor angles = random({9, dim / 2}, at::kFloat, 1) * 10, cosine = angles.cos(),
                   sine = angles.sin();
  const at::Tensor before = random({3, 9, 2, dim}, dtype, 2);
  const at::Tensor x = before.clone(), expected = before.clone();
  rotate(x, cosine, sine, false);
  reference::rotate(expected, cosine, sine, false);
  EXPECT_LT(relative_difference(x, expected), tolerance(dtype));
  EXPECT_GT(relative_difference(x, before), 0.1);
  rotate(x, cosine, sine, true);
  EXPECT_LT(relative_difference(x, before), 2 * tolerance(dtype));
}

INSTANTIATE_TEST_SUITE_P(Shapes, Rotary,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::Values(2, 10, 64, 128)));

}  // namespace
}  // namespace galore
