// FOAM: Blocked State Folding for Memory-Efficient LLM Training.
// Wen, Wang, Luo, Li, Sun; ICML 2026; arXiv 2512.07112; authors' code zqOuO/FOAM.
//
//   symbol   name in code     default       where the default comes from
//   l        level            2             the authors' scripts: blocks of 2^l neighbours along the inputs
//   alpha    scale            0.25          the authors' scripts
//   rho      residual_scale   1             the authors' code
//   beta     UpdateRule       0.9, 0.95     the authors' scripts; their class has 0.999 and epsilon 1e-8
//
// In each block a = mean of g, q = mean of g^2, r = g - a; the last block of a row is padded with zeros:
//   m = beta1 m + (1 - beta1) a;  v = beta2 v + (1 - beta2) q
//   direction = alpha c (m + rho r) / (sqrt(v + rho^2 r^2) + epsilon),  c = sqrt(1 - beta2^t) / (1 - beta1^t)
// kernels/block_adam.h computes this in one pass.
//
// State: 2 m n / 2^l. Level 0 is Adam.
//
// Departures: the paper prints v as an average of a^2. Here it averages q, as in the authors' code; q is
// never below a^2. The authors' scripts pass 0.95 for beta2 to a program that ignores it, so it is not known
// which of the two values gave the paper's tables.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct FoamOptions {
  int64_t level = 2;
  double scale = 0.25, residual_scale = 1;
};
void declare_options(OptionTable& table, FoamOptions& options);

std::unique_ptr<Method> make_foam(const FoamOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> foam_kind(const FoamOptions& options = {});

}  // namespace galore
