#include "optim/subspaces/stored_basis.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "optim/subspaces/random_basis.h"
#include "optim/subspaces/subspace.h"

namespace galore {
namespace {

class StoredBasisTest : public testing::Test {
 protected:
  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

TEST_F(StoredBasisTest, OfNormalNumbersFollowsFromItsStreamAndTakesNoMemory) {
  RegeneratedColumns basis({4000, 25, "right"}, workspace_), other({4000, 25, "left"}, workspace_);
  basis.renew(RandomStream(1, "refresh", "weight", 8));
  const at::Tensor first = basis.read().clone();
  EXPECT_EQ(ledger_.bytes(Owner::bases), 0);
  // 100,000 numbers determine the deviation to about 0.2 %; 1 % is five times that.
  EXPECT_NEAR(first.std().item<double>(), 0.2, 0.002);
  other.renew(RandomStream(1, "refresh", "weight", 8));
  EXPECT_TRUE(at::equal(other.read(), first));
  other.renew(RandomStream(1, "refresh", "weight", 9));
  EXPECT_FALSE(at::equal(other.read(), first));
  EXPECT_TRUE(at::equal(basis.read(), first));
}

TEST_F(StoredBasisTest, OrthogonalOnesAreOrthonormalAndOtherOnesEachTime) {
  SubspaceOptions options;
  options.rank = 8, options.subspace = "orthogonal", options.signs = "lapack";
  Subspace subspace(options, 40, 24, workspace_);
  const at::Tensor gradient = at::ones({40, 24});
  EXPECT_EQ(subspace.refresh(gradient, RandomStream(1, "refresh", "weight", 0)), "");
  const at::Tensor first = subspace.right().clone();
  // The tolerance is fp32 rounding of sums over 24 elements.
  EXPECT_TRUE(first.t().mm(first).allclose(at::eye(8), 0, 1e-6));
  subspace.refresh(gradient, RandomStream(1, "refresh", "weight", 1));
  EXPECT_FALSE(subspace.right().allclose(first, 0, 0.1));
}

TEST_F(StoredBasisTest, IsDueOnceInAGapAndStaggeredOverIt) {
  SubspaceOptions options;
  options.rank = 2, options.update_proj_gap = 10, options.refresh = "staggered";
  Subspace subspace(options, 8, 8, workspace_);
  subspace.stagger(1, 4);
  EXPECT_TRUE(subspace.due(0)) << "there is no basis yet";
  subspace.refresh(at::eye(8), RandomStream(1, "refresh"));
  for (const int64_t updates : {0, 1, 3, 10, 20}) EXPECT_FALSE(subspace.due(updates)) << updates;
  for (const int64_t updates : {2, 12, 22}) EXPECT_TRUE(subspace.due(updates)) << updates;
}

}  // namespace
}  // namespace galore
