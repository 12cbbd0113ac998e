// Tests properties of Stable-SPAM that can be checked without its reference (tests/vectors/family).
#include "optim/methods/stable_spam.h"

#include <gtest/gtest.h>

#include "optim/presets.h"
#include "optim/test_optimizer.h"

namespace galore {
namespace {

using testing_optimizer::all_kinds;
using testing_optimizer::kSquare;
using testing_optimizer::random;
using testing_optimizer::relative_difference;
using testing_optimizer::TestRun;

// Each update's gradient is the first one times a factor, so only norms and largest elements change. With
// gamma1 = gamma2 every norm that AdaGN aims for is near 1.
TEST(StableSpam, EvensOutTheNorm) {
  TestRun run("stable_spam_adamw", "interval=0,gamma1=0,gamma2=0,beta1=0", {{kSquare, random({16, 16}, 1)}});
  TestRun sign("adamw_torch", "beta1=0", {{kSquare, random({16, 16}, 1)}});
  const at::Tensor g = random({16, 16}, 2);
  for (int t = 1; t <= 4; ++t) {
    run.update({{g * std::pow(0.5, t)}});  // the factor falls, so that nothing is clipped
    sign.update({{g / g.norm()}});
  }
  // The tolerance covers epsilon, which is added to norms of 1e-1 and more.
  EXPECT_LE(relative_difference(run.weight(kSquare), sign.weight(kSquare)), 1e-6);
}

TEST(StableSpam, CountersMatterFromTheFirstResetOn) {
  TestRun shared("stable_spam_adamw", "interval=3", all_kinds());
  TestRun separate("stable_spam_adamw", "interval=3,counters=separate", all_kinds());
  for (uint64_t t = 1; t <= 3; ++t) {
    shared.update(t), separate.update(t);
    EXPECT_EQ(shared.difference(separate) == "", t < 3) << t;
  }
}

TEST(StableSpam, WithoutResetsCountersDoNotMatter) {
  TestRun shared("stable_spam_adamw", "interval=0,total_steps=5", all_kinds());
  TestRun separate("stable_spam_adamw", "interval=0,total_steps=5,counters=separate", all_kinds());
  for (uint64_t t = 1; t <= 7; ++t) shared.update(t), separate.update(t);
  EXPECT_EQ(shared.difference(separate), "");
}

}  // namespace
}  // namespace galore
