// LoRA-Pre: Taming Momentum, Rethinking Optimizer States Through Low-Rank Approximation.
// Wang, Ye, Lin, and others; ICLR 2026; arXiv 2602.24283.
//
//   symbol     name in code             default      where the default comes from
//   r          rank                     128          as all low-rank methods here
//   b1, b2     adam_beta1, adam_beta2   0.9, 0.999   Adam's
//
// Both moments of Adam are products of thin matrices: B A follows G, C D follows |G|, each by one step of an
// alternating least-squares flow whose rates make the products decay as Adam's moments do:
//
//   g1 = 1 - sqrt(b1), g2 = 1 - b2^(1/4)
//
//   B <- (1 - g1) B + g1 G A^T (A A^T)^-1;  A <- (1 - g1) A + g1 (B^T B)^-1 B^T G, both from the old factors
//
//   m = b1 B A + (1 - b1) G;  v = b2 (C D)^2 + (1 - b2) G^2
//
//   direction = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
//
// At the first update B A = C D = 0; then they become the best rank r of (1 - b1) G and sqrt(1 - b2) |G|.
//
// State: 2 r (m + n), and whether it has begun. The direction needs two m x n buffers that all weights share.
//
// Departures: the paper does not say how the factors begin. 1e-6 of the mean of its diagonal is added to
// every Gram matrix that is inverted.
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
