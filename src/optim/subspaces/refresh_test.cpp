// Refreshes with a gradient that does not determine a basis (zero, not finite, or of lower rank), and failing
// decompositions. None of them may abort a run, and each is reported.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/test_message.h"
#include "optim/subspaces/failing_operator.h"
#include "optim/subspaces/test_subspace.h"

namespace galore {
namespace {

using testing_optimizer::decaying;
using testing_optimizer::FailingOperator;
using testing_optimizer::Fails;
using testing_optimizer::kStream;
using testing_optimizer::random;
using testing_optimizer::same_bits;

constexpr int64_t kRefreshRank = 5, kRefreshRows = 24, kRefreshColumns = 16;

class Refresh : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  Refresh() : workspace_(ledger_), subspace_(options(), kRefreshRows, kRefreshColumns, workspace_) {}
  static SubspaceOptions options() {
    SubspaceOptions options;
    options.rank = kRefreshRank;
    options.proj_type = std::get<0>(GetParam());
    options.subspace = std::get<1>(GetParam());
    return options;
  }
  std::vector<at::Tensor> bases() {
    std::vector<at::Tensor> all;
    if (subspace_.side() != Side::right) all.push_back(subspace_.left().clone());
    if (subspace_.side() != Side::left) all.push_back(subspace_.right().clone());
    return all;
  }
  // The tolerance is fp32 rounding times the number of rows.
  void expect_orthonormal() {
    for (const at::Tensor& basis : bases())
      EXPECT_TRUE(basis.t().matmul(basis).allclose(at::eye(kRefreshRank), 0, 1e-5));
  }
  void expect_same(const std::vector<at::Tensor>& before) {
    const auto now = bases();
    for (size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], before[i]));
  }
  static at::Tensor with_nan() {
    at::Tensor gradient = random({kRefreshRows, kRefreshColumns}, 1);
    gradient[2][3] = std::numeric_limits<float>::quiet_NaN();
    return gradient;
  }
  static at::Tensor of_rank(int64_t rank) {
    return random({kRefreshRows, rank}, 2).matmul(random({rank, kRefreshColumns}, 3));
  }

  Ledger ledger_{at::kCPU};
  Workspace workspace_;
  Subspace subspace_;
};

TEST_P(Refresh, FirstWithZerosTakesARandomBasisAndTriesAgain) {
  EXPECT_TRUE(contains(subspace_.refresh(at::zeros({kRefreshRows, kRefreshColumns}), kStream), "zero"));
  EXPECT_FALSE(subspace_.established());
  expect_orthonormal();
  EXPECT_EQ(subspace_.refresh(random({kRefreshRows, kRefreshColumns}, 1), kStream), "");
  EXPECT_TRUE(subspace_.established());
  expect_orthonormal();
}

TEST_P(Refresh, FirstWithNaNTakesARandomBasisAndTriesAgain) {
  EXPECT_TRUE(contains(subspace_.refresh(with_nan(), kStream), "not finite"));
  EXPECT_FALSE(subspace_.established());
  expect_orthonormal();
}

TEST_P(Refresh, LaterWithZerosOrNaNKeepsTheBasis) {
  subspace_.refresh(random({kRefreshRows, kRefreshColumns}, 1), kStream);
  const auto before = bases();
  EXPECT_TRUE(contains(subspace_.refresh(at::zeros({kRefreshRows, kRefreshColumns}), kStream),
                       "keeps the old basis"));
  expect_same(before);
  EXPECT_TRUE(contains(subspace_.refresh(with_nan(), kStream), "keeps the old basis"));
  expect_same(before);
  EXPECT_TRUE(subspace_.established());
}

// All of the gradient's own directions come first. The other directions are orthonormal to them and come from
// the old basis, if there was one.
TEST_P(Refresh, OfLowerRankCompletesTheBasis) {
  for (const bool first : {true, false}) {
    if (!first) subspace_.refresh(random({kRefreshRows, kRefreshColumns}, 1), kStream);
    const auto before = bases();
    const at::Tensor gradient = of_rank(2);
    EXPECT_TRUE(contains(subspace_.refresh(gradient, kStream), "rank 2 of 5"));
    EXPECT_TRUE(subspace_.established());
    expect_orthonormal();
    const Direction lifted = subspace_.lift(subspace_.project(gradient), 1);
    EXPECT_TRUE(lifted.left.matmul(lifted.right).allclose(gradient, 0, 1e-4));
    if (first) continue;
    const auto now = bases();
    for (size_t i = 0; i < now.size(); ++i) {
      const at::Tensor kept = now[i].narrow(1, 2, 3), known = now[i].narrow(1, 0, 2);
      // `kept` consists of old directions without their part along the new ones, so old and new directions
      // together span it.
      const at::Tensor span = std::get<0>(at::linalg_qr(at::cat({known, before[i]}, 1)));
      EXPECT_TRUE(span.matmul(span.t().matmul(kept)).allclose(kept, 0, 1e-4));
    }
  }
}

// Rounding errors make a gradient of exact rank 2 look like one of full rank; directions of this size must
// not count.
TEST_P(Refresh, DoesNotTakeRoundingForDirections) {
  const at::Tensor noise = random({kRefreshRows, kRefreshColumns}, 4) * 1e-8;
  EXPECT_TRUE(contains(subspace_.refresh(of_rank(2) + noise, kStream), "rank 2 of 5"));
}

TEST_P(Refresh, GoesOnWhenEveryDecompositionFails) {
  const FailingOperator svd(Fails::svd), eigh(Fails::eigh);
  EXPECT_TRUE(contains(subspace_.refresh(random({kRefreshRows, kRefreshColumns}, 1), kStream), "failed"));
  EXPECT_FALSE(subspace_.established());
  expect_orthonormal();
}

TEST_P(Refresh, KeepsTheBasisWhenEveryDecompositionFailsLater) {
  subspace_.refresh(random({kRefreshRows, kRefreshColumns}, 1), kStream);
  const auto before = bases();
  const FailingOperator svd(Fails::svd), eigh(Fails::eigh);
  EXPECT_TRUE(contains(subspace_.refresh(random({kRefreshRows, kRefreshColumns}, 2), kStream), "failed"));
  expect_same(before);
}

TEST_P(Refresh, CompletesTheBasisWithoutSvd) {
  subspace_.refresh(random({kRefreshRows, kRefreshColumns}, 1), kStream);
  const FailingOperator svd(Fails::svd);
  const at::Tensor gradient = of_rank(2);
  EXPECT_TRUE(contains(subspace_.refresh(gradient, kStream), "rank 2 of 5"));
  expect_orthonormal();
  const Direction lifted = subspace_.lift(subspace_.project(gradient), 1);
  EXPECT_TRUE(lifted.left.matmul(lifted.right).allclose(gradient, 0, 1e-4));
}

INSTANTIATE_TEST_SUITE_P(All, Refresh,
                         testing::Combine(testing::Values("right", "left", "full"),
                                          testing::Values("svd", "randomized")),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
                         });

}  // namespace
}  // namespace galore
