// Bases chosen among given vectors: columns of a cosine transform, and singular vectors drawn at random.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/errors.h"
#include "kernels/dct.h"
#include "optim/methods/test_method.h"
#include "optim/subspaces/dct_basis.h"
#include "optim/subspaces/importance.h"

namespace galore {
namespace {

using testing_method::OneMethod;
using testing_optimizer::random;
using testing_optimizer::same_bits;

RandomStream stream(uint64_t step) { return {3, "refresh", "w", step}; }

at::Tensor columns_of(int64_t n, const std::vector<int32_t>& numbers) {
  const at::Tensor out = at::empty({n, static_cast<int64_t>(numbers.size())}, at::kFloat);
  dct_columns(out, at::tensor(numbers, at::kInt));
  return out;
}

class Dct : public testing::Test {
 protected:
  std::unique_ptr<Subspace> subspace(const std::string& proj_type, int64_t rank, bool transport = false) {
    SubspaceOptions options;
    options.rank = rank, options.subspace = "dct", options.proj_type = proj_type;
    options.moment_transport = transport;
    return std::make_unique<Subspace>(options, 20, 12, workspace_);
  }
  // Returns a 20 x 12 matrix with components along the given columns of Q, each of a different size.
  static at::Tensor along(const std::vector<int32_t>& numbers) {
    const at::Tensor sizes = at::arange(1, 1 + static_cast<int64_t>(numbers.size()), at::kFloat);
    return random({20, static_cast<int64_t>(numbers.size())}, 1)
        .mul(sizes)
        .matmul(columns_of(12, numbers).t());
  }

  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

// Before the first choice the columns are 0, 1, 2, ... A chosen column that is among these stays in its
// place.
TEST_F(Dct, TakesTheColumnsThatHoldTheGradient) {
  const auto right = subspace("right", 3), left = subspace("left", 3);
  EXPECT_EQ(right->refresh(along({7, 2, 10}), stream(0)), "");
  EXPECT_TRUE(same_bits(right->right(), columns_of(12, {7, 10, 2})));
  const at::Tensor tall = columns_of(20, {19, 4, 6}).matmul(random({3, 12}, 2));
  EXPECT_EQ(left->refresh(tall, stream(0)), "");
  EXPECT_TRUE(same_bits(left->left(), columns_of(20, {4, 6, 19})));
  const auto both = subspace("full", 2);
  EXPECT_EQ(both->refresh(columns_of(20, {5, 3}).matmul(columns_of(12, {11, 1}).t()), stream(0)), "");
  EXPECT_TRUE(same_bits(both->left(), columns_of(20, {3, 5})));
  EXPECT_TRUE(same_bits(both->right(), columns_of(12, {11, 1})));
}

TEST_F(Dct, KeepsColumnsInTheirPlaces) {
  const auto basis = subspace("right", 4, /*transport=*/true);
  basis->refresh(along({1, 5, 8, 9}), stream(0));
  EXPECT_FALSE(basis->rotation().defined());
  basis->refresh(along({2, 5, 7, 9}), stream(1));
  EXPECT_TRUE(same_bits(basis->right(), columns_of(12, {5, 2, 7, 9})));
  EXPECT_TRUE(at::equal(basis->rotation(), at::diag(at::tensor({1.0f, 0.0f, 0.0f, 1.0f}))));
  basis->refresh(along({9, 0, 7, 11}), stream(2));
  EXPECT_TRUE(same_bits(basis->right(), columns_of(12, {0, 11, 7, 9})));
}

TEST_F(Dct, KeepsWhatItHasWhenTheGradientSaysNothing) {
  const auto basis = subspace("right", 4);
  at::Tensor bad = random({20, 12}, 1);
  bad[3][4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(basis->refresh(at::zeros({20, 12}), stream(0)).find("zero"), std::string::npos);
  EXPECT_NE(basis->refresh(bad, stream(0)).find("not finite"), std::string::npos);
  EXPECT_FALSE(basis->established());
  EXPECT_TRUE(same_bits(basis->right(), columns_of(12, {0, 1, 2, 3})));
  basis->refresh(along({1, 5, 8, 9}), stream(0));
  basis->refresh(bad, stream(1));
  EXPECT_TRUE(same_bits(basis->right(), columns_of(12, {5, 1, 8, 9})));
  EXPECT_TRUE(basis->established());
}

// A basis takes four bytes per column, whatever the weight's size.
TEST_F(Dct, KeepsNumbersAlone) {
  const auto right = subspace("right", 5), both = subspace("full", 5);
  EXPECT_EQ(ledger_.bytes(Owner::bases), 3 * 5 * 4);
}

TEST(DctOfMethods, IsRefusedWhereTheBasisMoves) {
  EXPECT_THROW(OneMethod("subtrack_adamw", "subspace=dct", 24, 16), Error);
  OneMethod("sumo", "rank=4,subspace=dct", 24, 16);
}

// Draws four of sixteen singular vectors.
class Importance : public testing::Test {
 protected:
  SingularVectors drawn(const at::Tensor& values, int64_t rank, uint64_t step) {
    const int64_t size = values.size(0);
    const auto found =
        find_by_importance(DenseGradient(at::diag(values)), {Side::both, rank, {}, stream(step), workspace_});
    EXPECT_TRUE(found && found->left.size(1) == rank && found->right.size(0) == size);
    return *found;
  }

  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

// Tolerances are four standard deviations of a share of 3,000 draws.
TEST_F(Importance, DrawsInProportionToSingularValues) {
  const at::Tensor values = at::tensor({4.0f, 2.0f, 1.0f, 1.0f});
  const int draws = 3000;
  at::Tensor first = at::zeros({4}), pairs = at::zeros({4});
  for (int k = 0; k < draws; ++k) {
    first.add_(drawn(values, 1, k).left.abs().sum(1));
    pairs.add_(drawn(values, 2, draws + k).left.abs().sum(1));
  }
  const auto near = [&](double count, double share) {
    EXPECT_NEAR(count / draws, share, 4 * std::sqrt(share * (1 - share) / draws));
  };
  for (const auto& [place, share] : {std::pair<int64_t, double>{0, 0.5}, {1, 0.25}, {2, 0.125}})
    near(first[place].item<double>(), share);
  // A vector is among the two if it is first, or second after each of the others.
  near(pairs[0].item<double>(), 0.5 + 0.25 * 4 / 6 + 2 * 0.125 * 4 / 7);
  near(pairs[2].item<double>(), 0.125 + 0.5 / 4 + 0.25 / 6 + 0.125 / 7);
}

TEST_F(Importance, GivesTriplesInFallingOrder) {
  const at::Tensor gradient = random({30, 16}, 5);
  for (uint64_t step = 0; step < 10; ++step) {
    const auto found =
        find_by_importance(DenseGradient(gradient), {Side::both, 6, {}, stream(step), workspace_});
    ASSERT_TRUE(found);
    EXPECT_TRUE((found->values.diff() < 0).all().item<bool>());
    // The tolerance is fp32 rounding of values of about ten.
    EXPECT_TRUE(gradient.matmul(found->right).allclose(found->left * found->values, 0, 1e-4));
  }
}

TEST_F(Importance, LeavesOutWhatIsNotThere) {
  const at::Tensor values = at::tensor({1.0f, 0.0f, 0.5f, 0.0f});
  const SingularVectors found = drawn(values, 2, 1);
  EXPECT_TRUE(at::allclose(found.values, at::tensor({1.0f, 0.5f})));
  EXPECT_EQ(drawn(at::zeros({4}), 2, 1).values.max().item<float>(), 0);
}

}  // namespace
}  // namespace galore
