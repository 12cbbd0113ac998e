#include "kernels/random_normal.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "kernels/group_quantize.h"

namespace galore {
namespace {

at::Tensor filled(const RandomStream& stream, at::ScalarType dtype = at::kFloat) {
  const at::Tensor value = at::empty({301, 333}, dtype);
  random_normal(value, 0.02, stream);
  return value;
}

TEST(RandomNormal, HasTheMomentsOfTheDistribution) {
  const at::Tensor value = filled({1, "a"}).to(at::kDouble) / 0.02;
  // The standard errors for 100,233 numbers are 0.0032 for the mean and 0.0022 for the deviation; the
  // tolerances are four of each.
  EXPECT_NEAR(value.mean().item<double>(), 0, 0.013);
  EXPECT_NEAR(value.std().item<double>(), 1, 0.009);
  EXPECT_NEAR(value.pow(4).mean().item<double>(), 3, 0.13);
}

TEST(RandomNormal, DependsOnTheStreamOnly) {
  const at::Tensor value = filled({1, "a"});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  EXPECT_TRUE(at::equal(value, filled({1, "a"})));
  at::set_num_threads(threads);
  EXPECT_FALSE(at::equal(value, filled({2, "a"})));
  EXPECT_FALSE(at::equal(value, filled({1, "b"})));
  EXPECT_FALSE(at::equal(value, filled({1, "a", "", 1})));
  EXPECT_TRUE(at::equal(value.to(at::kBFloat16), filled({1, "a"}, at::kBFloat16)));
}

// The tensor has several pieces, with groups that do not divide a thousand.
TEST(RandomNormal, InCodesIsTheSameNumbersCoded) {
  Ledger ledger(at::kCPU);
  const std::vector<int64_t> shape{1501, 1003};
  for (const int64_t group_size : {26, 256}) {
    const GroupQuantized pieces = zero_group_codes({8, group_size}, shape, Owner::weights, ledger);
    const GroupQuantized whole = zero_group_codes({8, group_size}, shape, Owner::weights, ledger);
    random_normal(pieces, 0.02, {1, "a"});
    const at::Tensor numbers = at::empty(shape);
    random_normal(numbers, 0.02, {1, "a"});
    kernels::encode_groups(numbers, whole, nullptr);
    EXPECT_TRUE(pieces.codes.equal(whole.codes));
    EXPECT_TRUE(pieces.scales.equal(whole.scales));
    EXPECT_TRUE(pieces.zeros.equal(whole.zeros));
  }
}

// Logarithm and sine are exact to a few units in the last place of numbers up to 6.
TEST(RandomNormal, IsTheComposedVersionToRounding) {
  for (const int64_t count : {1, 3, 63, 64, 100233}) {
    const at::Tensor fast = at::empty({count}), plain = at::empty({count});
    const RandomStream stream(5, "test", "weight", uint64_t{1} << 40);
    random_normal(fast, 1, stream);
    composed::random_normal(plain.data_ptr<float>(), count, 0, 1, stream);
    EXPECT_LT((fast - plain).abs().max().item<float>(), 5e-6f) << count;
  }
}

}  // namespace
}  // namespace galore
