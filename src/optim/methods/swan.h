// SWAN: SGD with Normalization and Whitening Enables Stateless LLM Training.
// Ma, Gong, Scetbon, Meeds; ICML 2025; arXiv 2412.13148, Algorithm 1.
//
//   symbol   name in code   default   where the default comes from
//   k        ns_steps       5         ours; the paper takes ten steps of another iteration
//            scale          1         ours: a factor on the direction
//
//   G' = each row of G, over its inputs, minus its mean and divided by its standard deviation;
//        0 for a constant row
//   O = (G' G'^T)^-1/2 G', by k Newton-Schulz steps in fp32 (kernels/newton_schulz.h)
//   direction = scale |G'| / |O| O
//
// State: none.
//
// Departures: Muon's quintic iteration replaces the paper's cubic one and brings singular values equally
// close to each other in half the steps. The paper trains embedding and head by Adam, as we do.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct SwanOptions {
  int64_t ns_steps = 5;
  double scale = 1;
};
void declare_options(OptionTable& table, SwanOptions& options);

std::unique_ptr<Method> make_swan(const SwanOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> swan_kind(const SwanOptions& options = {});

}  // namespace galore
