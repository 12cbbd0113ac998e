// InRank's rules on spectra that are made by hand, and POET's rotations.
#include "adapters/explained_rank.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "adapters/rotations.h"
#include "kernels/test_tensors.h"

namespace galore {
namespace {

using testing_tensors::random;

TEST(ExplainedRank, VarianceCountsTheZerosOfTheProduct) {
  const at::Tensor values = at::tensor({4.0, 2.0, 0.0});
  // The variance of the four values 4, 2, 0, 0 is 20/4 - (6/4)^2 = 2.75. Without the 4, that is for
  // 0, 2, 0, 0, it is 0.75.
  EXPECT_NEAR(explained_share(values, 4, 1, Explained::by_variance), 1 - 0.75 / 2.75, 1e-12);
  EXPECT_NEAR(explained_share(values, 4, 1, Explained::by_energy), 16.0 / 20, 1e-12);
  EXPECT_NEAR(explained_share(values, 4, 2, Explained::by_variance), 1, 1e-12);
}

TEST(ExplainedRank, IsTheFirstAboveTheThresholdOrTheLast) {
  const at::Tensor values = at::tensor({4.0, 2.0, 1.0});
  const auto rank = [&](int64_t first, int64_t last, double threshold) {
    return explained_rank(values, 8, first, last, threshold, Explained::by_energy);
  };
  EXPECT_EQ(rank(1, 3, 0.7), 1);
  EXPECT_EQ(rank(1, 3, 0.9), 2);
  EXPECT_EQ(rank(2, 3, 0.1), 2) << "it never falls";
  EXPECT_EQ(rank(1, 2, 0.99), 2) << "the scan ends";
}

TEST(ExplainedRank, DecomposesTheProductOfThinFactors) {
  const at::Tensor b = random({9, 3}, at::kFloat, 1), a = random({3, 7}, at::kFloat, 2);
  const ProductSpectrum spectrum = product_spectrum(b, a);
  const at::Tensor again = spectrum.left.mul(spectrum.values).mm(spectrum.right.t());
  EXPECT_LT((again - b.mm(a)).abs().max().item<float>(), 1e-5f * spectrum.values[0].item<float>());
  EXPECT_TRUE(at::allclose(product_values(b, a), at::linalg_svdvals(b.mm(a)).slice(0, 0, 3), 1e-5, 1e-5));
}

TEST(Rotations, TakeTheLargestBlocksThatDivide) {
  EXPECT_EQ(block_size_of(512, 256), 256);
  EXPECT_EQ(block_size_of(1376, 256), 172);
  EXPECT_EQ(block_size_of(48, 256), 48);
  EXPECT_EQ(block_size_of(7, 4), 1);
}

// The series misses the orthogonal Cayley transform by Q to the power of its terms + 1 and above.
TEST(Rotations, AreOrthogonalUpToTheCutSeries) {
  const at::Tensor skew = skew_symmetric(random({2, 6}, at::kFloat, 3) * 0.02, 4);
  EXPECT_TRUE(at::equal(skew, -skew.transpose(1, 2)));
  const at::Tensor blocks = rotations(skew, 3), one = at::eye(4).expand({2, 4, 4});
  const double size = skew.norm().item<double>();
  EXPECT_LT((blocks.bmm(blocks.transpose(1, 2)) - one).norm().item<double>(), 4 * std::pow(size, 4) + 1e-6);
  EXPECT_TRUE(at::allclose(rotations(at::zeros_like(skew), 3), one));
  const at::Tensor polynomial =
      one + 2 * skew + 2 * skew.bmm(skew) + 2 * skew.bmm(skew).bmm(skew) + skew.bmm(skew).bmm(skew.bmm(skew));
  EXPECT_TRUE(at::allclose(blocks, polynomial, 1e-6, 1e-6)) << "equation 8 of the POET-X paper";
}

TEST(Rotations, TurnBackWhatTheyTurn) {
  const at::Tensor rows = random({5, 8}, at::kFloat, 4),
                   blocks = rotations(skew_symmetric(random({2, 6}, at::kFloat, 5) * 0.01, 4), 8);
  const at::Tensor order = random_order(8, {1, "test"});
  EXPECT_TRUE(at::equal(std::get<0>(order.sort()), at::arange(8)));
  const at::Tensor there = turned_rows(rows, blocks, order, false);
  EXPECT_FALSE(at::allclose(there, rows, 1e-3, 1e-3));
  EXPECT_TRUE(at::allclose(turned_rows(there, blocks, order, true), rows, 1e-5, 1e-5));
}

}  // namespace
}  // namespace galore
