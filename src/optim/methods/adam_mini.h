// Adam-mini: Use Fewer Learning Rates To Gain More.
// Zhang, Chen, Li, Ding, Wu, Kingma, Ye, Luo, Sun; ICLR 2025; arXiv 2406.16793, Algorithm 1.
//
//   symbol   name in code   default           where the default comes from
//   beta     UpdateRule     0.9, 0.999, 1e-8  Adam's
//
// Each output row of a matrix has one second moment:
//   M = beta1 M + (1 - beta1) G;  v_i = beta2 v_i + (1 - beta2) mean_j G_ij^2
//   direction_i = (M_i / (1 - beta1^t)) / (sqrt(v_i / (1 - beta2^t)) + epsilon)
// AdamW updates the embedding, the head and tensors of one dimension.
//
// State: m n + m.
//
// Departures: the authors keep one second moment for each head of queries and keys, and in some versions one
// for each whole value or output matrix. Here every matrix has one for each row, which is their finest
// partition. It needs no knowledge of heads and costs a thousandth of the state.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct AdamMiniOptions {};
inline void declare_options(OptionTable&, AdamMiniOptions&) {}

std::unique_ptr<Method> make_adam_mini(const AdamMiniOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> adam_mini_kind();

}  // namespace galore
