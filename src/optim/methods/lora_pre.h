// LoRA-Pre: Taming Momentum, Rethinking Optimizer States Through Low-Rank Approximation.
// Wang, Ye, Lin, and others; ICLR 2026; arXiv 2602.24283.
//
//   symbol     name in code             default      where the default comes from
//   r          rank                     128          as in all low-rank methods here
//   b1, b2     adam_beta1, adam_beta2   0.9, 0.999   Adam's
//
// Both moments of Adam are products of thin matrices: B A follows G and C D follows |G|. Each takes one step
// of an alternating least-squares flow, with rates that let the products decay as Adam's moments do:
//
//   g1 = 1 - sqrt(b1), g2 = 1 - b2^(1/4)
//   B <- (1 - g1) B + g1 G A^T (A A^T)^-1;  A <- (1 - g1) A + g1 (B^T B)^-1 B^T G, both from the old factors
//   m = b1 B A + (1 - b1) G;  v = b2 (C D)^2 + (1 - b2) G^2
//   direction = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
//
// At the first update B A = C D = 0. After it they become the best approximations of rank r of (1 - b1) G and
// sqrt(1 - b2) |G|.
//
// State: 2 r (m + n), and a flag that tells whether the factors exist. The direction needs two m x n buffers,
// which all weights share.
//
// Departures: the paper does not say how the factors begin. Every Gram matrix that is inverted gets 1e-6 of
// the mean of its diagonal added to it.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct LoraPreOptions {
  int64_t rank = 128;
};
void declare_options(OptionTable& table, LoraPreOptions& options);

std::unique_ptr<Method> make_lora_pre(const LoraPreOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> lora_pre_kind(const LoraPreOptions& options = {});

}  // namespace galore
