// Stable-SPAM: How to Train in 4-Bit More Stably than 16-Bit Adam.
// Huang, Hu, Zhang, Jin, Li, Shen, Chen, Liu, Wang, Wang, Liu; 2025; arXiv 2502.17055, Algorithm 1.
//
//   symbol    name in code   default   where the default comes from
//   gamma1    gamma1         0.85      the authors' scripts for bf16; 0.7 for 4 bits and in their class
//   gamma2    gamma2         0.99999   the authors' scripts for bf16; 0.9 for 4 bits
//   gamma3    gamma3         0.999     paper, section 4.1
//   Delta T   interval       1000      paper, section 4.1; 0: never reset
//   T         total_steps    0         updates over which gamma1 and beta1 fall to half; 0: they stay
//   n         counters       shared    the authors' code; see Departures for separate
//
// Update t of any tensor, with s = 1/2 + (1 + cos(pi min(t, T + 1) / (T + 1))) / 4, or s = 1 when T is 0:
//   AdaClip  M = gamma3 M + (1 - gamma3) max|g|;  M' = M / (1 - gamma3^n);
//            where |g_i| > M', g_i shrinks by M' / max|g|
//   AdaGN    a = gamma1 s a + (1 - gamma1 s) |g|, b = gamma2 b + (1 - gamma2) |g|^2, both corrected by n;
//            g = g / |g| a / (sqrt(b) + epsilon)
//   MoRet    when t mod interval = 0, the moments become zero
//   AdamW    with beta1 s and the epsilon of Adam's paper
//
// State: Adam's, 2 m n, and three numbers.
//
// Departures with counters=separate: the corrections of M, a and b count all updates, and a reset takes
// effect at once. In the authors' code (shared) one n serves all of them. A reset sets n to 1 although it
// does not reset M, a and b; the bound of AdaClip is then 1000 times too large, and falls below twice its
// value only after 1000 updates. The update of the reset still uses the old moments as if they were one
// update old, and its new moments are dropped.
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
