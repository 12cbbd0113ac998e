// BAdam: A Memory Efficient Full Parameter Optimization Method for Large Language Models.
// Luo, Yu, Li; NeurIPS 2024; arXiv 2404.02827, Algorithm 1.
//
//   symbol   name in code   default   where the default comes from
//   K        switch_every   100       paper, section 3.1
//   beta     UpdateRule     Adam's    paper
//
// AdamW trains all tensors of one decoder layer at a time: of L layers, update t trains the layer with number
// floor((t - 1) / K) mod L. Moments and Adam's count of updates begin at zero whenever the layer changes. The
// other layers rest: they are neither moved nor decayed, and their gradients are not formed.
//
// State: 2 m n of the active layer. All layers share this memory and one gradient buffer.
//
// Departures:
// - Layers come in ascending order. The authors' code takes them in descending order, the paper in random
//   order.
// - Weights that belong to no layer (embedding, last norm, head) are trained in every update, by AdamW with
//   their own moments. The authors leave them unchanged, unless told to make a block of each.
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
