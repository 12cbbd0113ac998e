// Compares SPAM with simpler rules where they must agree, and tests when it resets, clips and warms up.
#include "optim/update_rules/spam.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "optim/presets.h"
#include "optim/test_optimizer.h"
#include "optim/update_rules/adafactor.h"
#include "optim/update_rules/adamw.h"
#include "optim/update_rules/sgd.h"

namespace galore {
namespace {

using testing_optimizer::random;
using testing_optimizer::relative_difference;
using testing_optimizer::same_bits;

class SpamRule : public testing::Test {
 protected:
  std::unique_ptr<UpdateRule> adamw() { return make_adamw({}, {}, {6, 8}, workspace_); }
  std::unique_ptr<UpdateRule> spam(const SpamOptions& options) { return make_spam(options, adamw()); }
  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

at::Tensor gradient(int t) { return random({6, 8}, static_cast<uint64_t>(t)); }

TEST_F(SpamRule, WithoutClippingAndResetsIsItsRule) {
  const auto plain = adamw(), wrapped = spam({.threshold = 1e30, .interval = 0});
  for (int t = 1; t <= 5; ++t)
    EXPECT_TRUE(same_bits(wrapped->direction(gradient(t), t), plain->direction(gradient(t), t)));
}

TEST_F(SpamRule, ClipsAgainstTheSecondMomentBeforeTheUpdate) {
  const auto plain = adamw(), wrapped = spam({.threshold = 4, .interval = 0, .holdoff = 3});
  for (int t = 1; t <= 2; ++t) plain->direction(gradient(t), t), wrapped->direction(gradient(t), t);
  const at::Tensor limit = (4 * plain->variance()).sqrt(), g = 10 * gradient(3);
  const at::Tensor clipped = at::where(g.abs() > limit, g.sign() * limit, g);
  ASSERT_FALSE(at::equal(clipped, g));
  // The square root is taken of a product in another order, which costs one rounding.
  EXPECT_LE(relative_difference(wrapped->direction(g.clone(), 3), plain->direction(clipped, 3)), 1e-6);
}

// With a threshold that every element exceeds, only updates during the holdoff equal the plain rule.
TEST_F(SpamRule, HoldsOffAtTheStartAndAfterAReset) {
  const auto plain = adamw(), wrapped = spam({1e-6, 4, /*warmup_steps=*/0, /*holdoff=*/2});
  for (int t = 1; t <= 6; ++t) {
    if (t == 4) plain->reset();
    const bool same = same_bits(wrapped->direction(gradient(t), t), plain->direction(gradient(t), t));
    EXPECT_EQ(same, t == 1 || t == 4 || t == 5) << t;
  }
}

TEST_F(SpamRule, ForgetsAndWarmsUp) {
  const auto plain = adamw(), wrapped = spam({.threshold = 1e30, .interval = 5, .warmup_steps = 3});
  // sigma_k for k = 0, 1, 2: (1 + cos(pi k / 4)) / 2 is 1, 0.853553, 0.5; at k = 3 the warm-up is over.
  const std::vector<double> sigma{1, 1, 1, 1, 0.01, 1 - 0.99 * 0.8535533906, 0.505, 1, 1, 0.01};
  for (int t = 1; t <= 10; ++t) {
    if (t % 5 == 0) plain->reset();
    const at::Tensor expected = plain->direction(gradient(t), t) * sigma[static_cast<size_t>(t - 1)];
    EXPECT_LE(relative_difference(wrapped->direction(gradient(t), t), expected), 1e-6) << t;  // fp32 rounding
  }
}

TEST_F(SpamRule, StandsInFrontOfAnyRule) {
  const auto momentum =
      make_spam({.threshold = 1, .holdoff = 0}, make_sgd({.momentum = 0.5}, {}, {6, 8}, workspace_));
  const at::Tensor first = momentum->direction(gradient(1), 1).clone();
  EXPECT_TRUE(at::equal(first, gradient(1)));  // there is no second moment to clip against
  EXPECT_TRUE(at::equal(momentum->average(), first));
  // Adafactor's factors represent the squares of a rank-one gradient exactly, so the doubled gradient is
  // clipped to the first one.
  const auto factored = make_spam({.threshold = 1, .holdoff = 0}, make_adafactor({}, {}, {6, 8}, workspace_));
  const at::Tensor g = random({6, 1}, 1).mm(random({1, 8}, 2));
  factored->direction(g.clone(), 1);
  factored->direction(2 * g, 2);
  EXPECT_LE(relative_difference(factored->variance(), g.square()), 1e-5);  // a dozen roundings in fp32
}

TEST(SpamPresets, SparseMomentumMovesItsElementsOnly) {
  const testing_optimizer::NamedTensors weights{{testing_optimizer::kTall, random({24, 16}, 1)}};
  const std::string periods = "interval=3,warmup_steps=1,holdoff=100";
  testing_optimizer::TestRun sparse("spam_adamw", periods + ",density=0.25", weights);
  testing_optimizer::TestRun dense("spam_adamw", periods, weights);
  at::Tensor before = weights[0].second.clone(), moved_first;
  for (uint64_t t = 1; t <= 3; ++t) {
    sparse.update(t);
    dense.update(t);
    const at::Tensor moved = sparse.weight(testing_optimizer::kTall) != before;
    EXPECT_EQ(moved.sum().item<int64_t>(), 24 * 16 / 4) << t;
    if (t == 1) moved_first = moved;
    EXPECT_EQ(at::equal(moved, moved_first), t < 3) << "drawn anew at the reset";
    // Adam works element by element: an element that moves goes where it goes in the dense run.
    if (t == 2) {
      EXPECT_TRUE(at::equal(sparse.weight(testing_optimizer::kTall).masked_select(moved),
                            dense.weight(testing_optimizer::kTall).masked_select(moved)));
    }
    before = sparse.weight(testing_optimizer::kTall).clone();
  }
}

TEST(SpamPresets, GaLoreWithoutClippingAndResetsIsGaLore) {
  testing_optimizer::TestRun galore("galore_adamw", "rank=4", testing_optimizer::all_kinds());
  testing_optimizer::TestRun spam("galore_spam_adamw", "rank=4,threshold=1e30,interval=0",
                                  testing_optimizer::all_kinds());
  for (uint64_t t = 1; t <= 3; ++t) galore.update(t), spam.update(t);
  EXPECT_EQ(galore.difference(spam), "");
}

}  // namespace
}  // namespace galore
