#include "kernels/polar_factor.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {

using testing_tensors::random;
using testing_tensors::relative_difference;

class PolarFactor : public testing::Test {
 protected:
  at::Tensor of(const at::Tensor& x) { return polar_factor(x, workspace_).clone(); }
  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

at::Tensor exact(const at::Tensor& x) {
  const auto [u, s, vh] = at::linalg_svd(x.to(at::kDouble), false);
  return u.matmul(vh);
}

const std::vector<std::pair<int64_t, int64_t>> kPolarShapes{{1, 1},  {1, 7},   {30, 8},
                                                            {8, 30}, {20, 20}, {1500, 5}};

TEST_F(PolarFactor, IsThatOfTheSingularVectors) {
  for (const auto& [m, n] : kPolarShapes) {
    const at::Tensor x = random({m, n}, at::kFloat, 1) * 1e-3;
    EXPECT_LE(relative_difference(of(x), exact(x)), 1e-6) << m << " x " << n;  // fp32 rounding of the result
  }
}

// Singular values fall from 1 to 1e-4. Their squares reach 1e-8, far above fp64's rounding, but rounding of
// x's fp32 elements moves the directions of the small ones by 6e-8 / 1e-4.
TEST_F(PolarFactor, ServesSmallSingularValues) {
  const at::Tensor x = random({40, 6}, at::kFloat, 2).matmul(at::diag(at::logspace(0, -4, 6)));
  const at::Tensor given = of(x);
  EXPECT_LE(relative_difference(given, exact(x)), 1e-5);
  EXPECT_LE((given.t().matmul(given) - at::eye(6)).abs().max().item<double>(), 1e-5);
}

TEST_F(PolarFactor, LeavesOutWhatIsNotThere) {
  EXPECT_TRUE(at::equal(of(at::zeros({9, 4})), at::zeros({9, 4})));
  const at::Tensor u = random({9, 1}, at::kFloat, 3), v = random({1, 4}, at::kFloat, 4);
  EXPECT_LE(relative_difference(of(u.matmul(v)), (u / u.norm()).matmul(v / v.norm())), 1e-6);
}

}  // namespace
}  // namespace galore
