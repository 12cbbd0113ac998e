#include "nn/initialize.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace galore {
namespace {

at::Tensor filled(uint64_t seed, const std::string& name, at::ScalarType dtype = at::kFloat) {
  const at::Tensor value = at::empty({301, 333}, dtype);
  fill_normal(value, 0.02, seed, name);
  return value;
}

TEST(FillNormal, HasTheMomentsOfTheDistribution) {
  const at::Tensor value = filled(1, "a").to(at::kDouble) / 0.02;
  // Standard errors for 100,233 numbers: 0.0032 of the mean, 0.0022 of the deviation; four of each.
  EXPECT_NEAR(value.mean().item<double>(), 0, 0.013);
  EXPECT_NEAR(value.std().item<double>(), 1, 0.009);
  EXPECT_NEAR(value.pow(4).mean().item<double>(), 3, 0.13);
}

TEST(FillNormal, DependsOnSeedAndNameOnly) {
  const at::Tensor value = filled(1, "a");
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  EXPECT_TRUE(at::equal(value, filled(1, "a")));
  at::set_num_threads(threads);
  EXPECT_FALSE(at::equal(value, filled(2, "a")));
  EXPECT_FALSE(at::equal(value, filled(1, "b")));
  EXPECT_TRUE(at::equal(value.to(at::kBFloat16), filled(1, "a", at::kBFloat16)));
}

}  // namespace
}  // namespace galore
