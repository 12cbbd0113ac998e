// Compares SubTrack++ with Fira where they must agree. tests/vectors/family compares its formulas with plain
// scripts.
#include "optim/methods/subtrack.h"

#include <ATen/ATen.h>

#include "optim/methods/test_method.h"

namespace galore {
namespace {

using namespace testing_method;

// With a basis that does not move, the method is Fira in the paper's form without refreshes.
TEST(Subtrack, OfStepZeroIsFira) {
  for (const auto& [m, n] : kShapes) {
    OneMethod subtrack("subtrack_adamw", "rank=4,step_size=0", m, n);
    OneMethod fira("fira_adamw", "rank=4,variant=paper", m, n);
    for (int t = 1; t <= 5; ++t) {
      const at::Tensor g = decaying({m, n}, static_cast<uint64_t>(t));
      // The tolerance is the fp32 rounding of an orthonormal basis that is orthonormalized again.
      EXPECT_LE(relative_difference(subtrack.full(g, t, t % 2 == 1), fira.full(g, t, t == 1)), 1e-4) << t;
    }
  }
}

// One geodesic leads from the old basis to the new one: one direction rotates, the others stay.
TEST(Subtrack, TurnsOneDirectionAtARefresh) {
  for (const auto& [m, n] : kShapes) {
    OneMethod subtrack("subtrack_adamw", "rank=4", m, n);
    subtrack.full(decaying({m, n}, 1), 1, true);
    Subspace& subspace = *subtrack.method->subspace();
    const bool left = subspace.side() == Side::left;
    const at::Tensor before = (left ? subspace.left() : subspace.right()).clone();
    subtrack.full(decaying({m, n}, 2), 2, true);
    const at::Tensor after = left ? subspace.left() : subspace.right();
    const at::Tensor cosines = std::get<1>(at::linalg_svd(before.t().mm(after)));
    EXPECT_TRUE(cosines.narrow(0, 0, 3).allclose(at::ones({3}), 0, 1e-5));
    EXPECT_LT(cosines[3].item<float>(), 0.999f);
    EXPECT_TRUE(after.t().mm(after).allclose(at::eye(4), 0, 1e-5));
  }
}

TEST(Subtrack, SaysWhenTheBasisStays) {
  OneMethod subtrack("subtrack_adamw", "rank=4", 24, 16);
  subtrack.full(decaying({24, 16}, 1), 1, true);
  subtrack.full(at::zeros({24, 16}), 2, true);
  ASSERT_EQ(subtrack.notices.size(), 1u);
  EXPECT_NE(subtrack.notices[0].find("keeps the old basis"), std::string::npos);
}

}  // namespace
}  // namespace galore
