// BAdam: A Memory Efficient Full Parameter Optimization Method for Large Language Models.
// Luo, Yu, Li; NeurIPS 2024; arXiv 2404.02827, Algorithm 1.
//
//   symbol   name in code   default   where the default comes from
//   K        switch_every   100       paper, section 3.1
//   beta     UpdateRule     Adam's    paper
//
// One decoder layer is trained at a time, all its tensors, by AdamW: at update t the layer with number
// floor((t - 1) / K) mod L, of L layers. Moments and the count of Adam's updates begin at zero in each turn.
// The other layers rest: they are neither moved nor decayed, and their gradients are not formed.
//
// State: 2 m n of the layer that is trained; all layers share it, and one buffer for the gradient.
//
// Departures:
// - In ascending order; the authors' code takes layers in descending order, the paper in random order.
// - Weights of no layer (embedding, last norm, head) are trained all the time, by AdamW with moments of
//   their own; the authors leave them as they are, unless told to make a block of each.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct BadamOptions {
  int64_t switch_every = 100;
};
void declare_options(OptionTable& table, BadamOptions& options);

std::unique_ptr<Method> make_badam(const BadamOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> badam_kind(const BadamOptions& options = {});

}  // namespace galore
