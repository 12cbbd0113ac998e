// Stable-SPAM: How to Train in 4-Bit More Stably than 16-Bit Adam.
// Huang, Hu, Zhang, Jin, Li, Shen, Chen, Liu, Wang, Wang, Liu; 2025; arXiv 2502.17055, Algorithm 1.
//
//   symbol    name in code   default   where the default comes from
//   gamma1    gamma1         0.85      the authors' scripts for bf16; 0.7 for 4 bits and as their class's
//   default gamma2    gamma2         0.99999   the same; 0.9 for 4 bits gamma3    gamma3         0.999 paper,
//   section 4.1 Delta T   interval       1000      paper, section 4.1; 0: never reset T         total_steps
//   0         updates over which gamma1 and beta1 fall to their halves; 0: they stay n         counters
//   shared    the authors' code; separate: see Departures
//
// Update t of any tensor, s = 1/2 + (1 + cos(pi min(t, T + 1) / (T + 1))) / 4, or 1 without T:
//   AdaClip  M = gamma3 M + (1 - gamma3) max|g|; |g_i| > M' shrinks by M' / max|g|, with M' = M / (1 -
//   gamma3^n) AdaGN    a = gamma1 s a + (1 - gamma1 s) |g|, b = gamma2 b + (1 - gamma2) |g|^2, n-corrected;
//            g = g / |g| a / (sqrt(b) + epsilon)
//   MoRet    t mod interval = 0: the moments become zero
//   AdamW    with beta1 s and the textbook's epsilon
//
// State: Adam's, 2 mn, and three numbers.
//
// Departures, with counters=separate: the corrections of M, a and b count all updates, and a reset takes
// effect at once. In the authors' code (shared) one n serves all and a reset sets it to 1, though M, a and b
// are not reset: the bound of AdaClip is then 1000 times too large, and falls below twice its value only
// after 1000 updates. There also the update of the reset still uses the old moments, as if they were one
// update old, and what it makes of them is dropped.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct StableSpamOptions {
  double gamma1 = 0.85, gamma2 = 0.99999, gamma3 = 0.999;
  int64_t interval = 1000, total_steps = 0;
  std::string counters = "shared";
};
void declare_options(OptionTable& table, StableSpamOptions& options);

std::unique_ptr<Method> make_stable_spam(const StableSpamOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> stable_spam_kind(const StableSpamOptions& options = {});

}  // namespace galore
