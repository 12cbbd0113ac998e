// SPAM: Spike-Aware Adam with Momentum Reset for Stable LLM Training.
// Huang, Zhu, Jin, Liu, Wang, Liu; ICLR 2025; arXiv 2501.06842, Algorithm 1.
//
//   symbol    name in code   default   where the default comes from
//   theta     threshold      5000      paper, section 4.1
//   Delta T   interval       500       paper, section 4.1; 0: never reset, always clip
//   N         warmup_steps   150       paper, section 4.1
//   h         holdoff        20        the authors' code: no clipping before moments are filled
//   sigma                              warm-up of the direction after a reset
//   d         density        1         sparse momentum: methods/sparse_momentum.h
//
// SPAM can precede any rule. Update t, with k updates since the last reset (before the first one sigma
// is 1):
//   1. If t mod interval = 0, every average of the rule becomes zero and k = 0.
//   2. If t >= h and t mod interval >= h, g_i with g_i^2 > theta v_i becomes sign(g_i) sqrt(theta v_i), where
//      v is the rule's raw second moment before this update.
//   3. direction = sigma rule(g), sigma = 1 - 0.99 (1 + cos(pi k / (N + 1))) / 2 for k < N, and 1 later.
// The rule's bias correction counts all updates, as in the authors' code.
//
// SPAM stores nothing, because k follows from t.
//
// Departures from the authors' code:
// - Elements with a second moment of exactly 0 are not clipped. The authors' code treats every such element
//   as a spike and sets it to 0, so rows of an embedding that saw no gradient for h updates after a reset
//   stand still until the next reset.
// - Decay also acts on sparse weights; the authors' line for it writes to a temporary.
// - A rule without a second moment (SGD) is only reset and warmed up.
#pragma once

#include "core/options.h"
#include "optim/update_rules/update_rule.h"

namespace galore {

struct SpamOptions {
  double threshold = 5000;
  int64_t interval = 500, warmup_steps = 150, holdoff = 20;

  // Returns true when update `step` begins with a reset.
  bool resets(int64_t step) const { return interval > 0 && step % interval == 0; }
};
void declare_options(OptionTable& table, SpamOptions& options);

std::unique_ptr<UpdateRule> make_spam(const SpamOptions& options, std::unique_ptr<UpdateRule> rule);

}  // namespace galore
