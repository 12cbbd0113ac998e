#include "kernels/rotary.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/errors.h"
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

// The tables are for 2 of 3 features, or for all; neighbours are turned by their definition as complex
// numbers.
TEST_P(Rotary, TurnsAPartOrNeighbours) {
  const auto [dtype, dim] = GetParam();
  for (const int64_t half : {dim / 2, (dim + 2) / 3}) {
    const at::Tensor angles = random({9, half}, at::kFloat, 1) * 10, cosine = angles.cos(),
                     sine = angles.sin();
    const at::Tensor before = random({3, 9, 2, dim}, dtype, 2);
    const at::Tensor halves = before.clone(), neighbours = before.clone(), composed = before.clone();
    rotate(halves, cosine, sine, false);
    rotate(neighbours, cosine, sine, false, {}, RotaryPairs::neighbours);
    reference::rotate(composed, cosine, sine, false, {}, RotaryPairs::neighbours);
    EXPECT_LT(relative_difference(neighbours, composed), tolerance(dtype));
    const at::Tensor pairs = before.narrow(3, 0, 2 * half).to(at::kFloat).reshape({3, 9, 2, half, 2});
    const at::Tensor turned = at::view_as_real(
        at::view_as_complex(pairs) * at::view_as_complex(at::stack({cosine, sine}, -1)).unsqueeze(1));
    EXPECT_LT(relative_difference(neighbours.narrow(3, 0, 2 * half), turned.flatten(3)), tolerance(dtype));
    const int64_t rest = dim - 2 * half;
    for (const at::Tensor& x : {halves, neighbours})
      EXPECT_TRUE(x.narrow(3, 2 * half, rest).equal(before.narrow(3, 2 * half, rest)));
    rotate(neighbours, cosine, sine, true, {}, RotaryPairs::neighbours);
    EXPECT_LT(relative_difference(neighbours, before), 2 * tolerance(dtype));
  }
}

TEST_P(Rotary, PicksTheTablesRowOfEachPosition) {
  const auto [dtype, dim] = GetParam();
  const at::Tensor angles = random({20, dim / 2}, at::kFloat, 1) * 10, cosine = angles.cos(),
                   sine = angles.sin();
  const at::Tensor positions = at::arange(18, at::kLong).mul(7).remainder(20).view({2, 9});
  const at::Tensor before = random({2, 9, 2, dim}, dtype, 2), x = before.clone(), composed = before.clone();
  rotate(x, cosine, sine, false, positions);
  reference::rotate(composed, cosine, sine, false, positions);
  EXPECT_LT(relative_difference(x, composed), tolerance(dtype));
  for (int64_t row = 0; row < 2; ++row) {
    const at::Tensor expected = before.narrow(0, row, 1).clone();
    rotate(expected, cosine.index_select(0, positions[row]), sine.index_select(0, positions[row]), false);
    EXPECT_TRUE(x.narrow(0, row, 1).equal(expected));
  }
}

TEST_P(Rotary, CountsPositionsFromZeroByDefault) {
  const auto [dtype, dim] = GetParam();
  const at::Tensor angles = random({12, dim / 2}, at::kFloat, 1), cosine = angles.cos(), sine = angles.sin();
  const at::Tensor x = random({3, 9, 2, dim}, dtype, 2), expected = x.clone();
  rotate(x, cosine, sine, true, at::arange(9, at::kLong).repeat({3, 1}));
  rotate(expected, cosine.narrow(0, 0, 9), sine.narrow(0, 0, 9), true);
  EXPECT_TRUE(x.equal(expected));
}

INSTANTIATE_TEST_SUITE_P(Shapes, Rotary,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::Values(2, 10, 64, 128)));

TEST(RotaryPositions, OutsideTheTableAreAnError) {
  const at::Tensor x = at::zeros({2, 3, 1, 4}), table = at::ones({5, 2});
  const at::Tensor positions = at::zeros({2, 3}, at::kLong);
  positions[1][2] = 5;
  try {
    rotate(x, table, table, false, positions);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[rotary] expected positions from 0 to 4, given 5 at token 2 of row 1");
  }
}

}  // namespace
}  // namespace galore
