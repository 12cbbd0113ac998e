// Compares Online Subspace Descent with GaLore where they must agree. tests/vectors/family compares its
// formulas with plain scripts.
#include "optim/methods/osd.h"

#include <ATen/ATen.h>

#include "optim/methods/test_method.h"

namespace galore {
namespace {

using namespace testing_method;

// A basis that does not learn stays GaLore's first one.
TEST(Osd, OfRateZeroIsGaLore) {
  for (const auto& [m, n] : kShapes) {
    OneMethod osd("osd_adamw", "rank=4,osd_lr=0", m, n), galore("galore_adamw", "rank=4,subspace=svd", m, n);
    for (int t = 1; t <= 4; ++t) {
      const at::Tensor g = decaying({m, n}, static_cast<uint64_t>(t));
      EXPECT_TRUE(same_bits(osd.full(g, t, false), galore.full(g, t, t == 1)));
    }
  }
}

// The share of a constant gradient inside the subspace grows, whatever the first basis was.
TEST(Osd, LearnsTheGradientsDirections) {
  OneMethod osd("osd_adamw", "rank=2,osd_lr=0.01", 16, 24);
  osd.full(random({16, 24}, 1), 1, false);
  const at::Tensor g = random({16, 2}, 2).mm(random({2, 24}, 3));
  const auto inside = [&](const at::Tensor& p) {
    const at::Tensor q = std::get<0>(at::linalg_qr(p));
    return (q.t().mm(g).norm() / g.norm()).item<double>();
  };
  const at::Tensor u = std::get<0>(at::linalg_svd(random({16, 24}, 1), false)).narrow(1, 0, 2);
  Direction direction;
  for (int t = 2; t <= 300; ++t) direction = osd.direction(g, t, false);
  EXPECT_LT(inside(u), 0.7);
  EXPECT_GT(inside(direction.left), 0.99);
}

TEST(Osd, LiftsByTheBasisThatProjected) {
  OneMethod osd("osd_adamw", "rank=4,osd_lr=0.1", 16, 24), still("osd_adamw", "rank=4,osd_lr=0", 16, 24);
  const at::Tensor g = decaying({16, 24}, 1);
  osd.direction(g, 1, false), still.direction(g, 1, false);
  // The basis moves for the first time after the second update.
  EXPECT_TRUE(same_bits(osd.full(g, 2, false), still.full(g, 2, false)));
  EXPECT_FALSE(same_bits(osd.full(g, 3, false), still.full(g, 3, false)));
}

TEST(Osd, StaysWhereTheGradientIsZero) {
  OneMethod osd("osd_adamw", "rank=4", 16, 24);
  EXPECT_TRUE(at::equal(osd.full(at::zeros({16, 24}), 1, false), at::zeros({16, 24})));
  osd.full(random({16, 24}, 1), 2, false);
  EXPECT_TRUE(osd.full(at::zeros({16, 24}), 3, false).isfinite().all().item<bool>());
  EXPECT_TRUE(osd.full(random({16, 24}, 2), 4, false).isfinite().all().item<bool>());
}

}  // namespace
}  // namespace galore
