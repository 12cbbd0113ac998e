#include "kernels/rms_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

class RmsNorm : public testing::TestWithParam<std::tuple<at::ScalarType, int64_t>> {
 protected:
  at::ScalarType dtype_ = std::get<0>(GetParam());
  int64_t features_ = std::get<1>(GetParam());
  at::Tensor x_ = random({37, features_}, dtype_, 1), weight_ = random({features_}, at::kFloat, 2);
  at::Tensor rms_ = at::empty({37}), out_ = at::empty_like(x_);
  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

TEST_P(RmsNorm, ForwardIsTheComposedOne) {
  const at::Tensor expected = at::empty_like(x_), expected_rms = at::empty_like(rms_);
  rms_norm(out_, rms_, x_, weight_, 1e-5);
  reference::rms_norm(expected, expected_rms, x_, weight_, 1e-5);
  EXPECT_LT(relative_difference(out_, expected), tolerance(dtype_));
  EXPECT_LT(relative_difference(rms_, expected_rms), tolerance(at::kFloat));
}

TEST_P(RmsNorm, AgainGivesTheSameBits) {
  rms_norm(out_, rms_, x_, weight_, 1e-5);
  const at::Tensor again = at::empty_like(x_);
  rms_norm_recompute(again, rms_, x_, weight_);
  EXPECT_TRUE(at::equal(out_, again));
}

TEST_P(RmsNorm, BackwardIsTheComposedOneAndAdds) {
  rms_norm(out_, rms_, x_, weight_, 1e-5);
  const at::Tensor dy = random(x_.sizes(), dtype_, 3), before = random(x_.sizes(), dtype_, 4);
  const at::Tensor dx = before.clone(), dx_expected = before.clone();
  const at::Tensor dw = at::empty_like(weight_), dw_expected = at::empty_like(weight_);
  rms_norm_backward(dx, dw, dy, {x_, rms_, weight_}, workspace_);
  reference::rms_norm_backward(dx_expected, dw_expected, dy, {x_, rms_, weight_});
  EXPECT_LT(relative_difference(dx, dx_expected), tolerance(dtype_));
  EXPECT_LT(relative_difference(dw, dw_expected), tolerance(at::kFloat));
}

INSTANTIATE_TEST_SUITE_P(Shapes, RmsNorm,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::Values(1, 5, 16, 64, 173)));

}  // namespace
}  // namespace galore
