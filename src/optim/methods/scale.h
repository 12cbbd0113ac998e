// SCALE: Stochastic Column-normAlized Last-layer momEntum, from Memory-Efficient LLM Pretraining via
// Minimalist Optimizer Design. Glentis, Li, Han, Hong; ICML 2026; arXiv 2506.16659, Algorithm 1; authors'
// code OptimAI-Lab/Minimalist_LLM_Pretraining.
//
//   symbol   name in code    default   where the default comes from
//   beta     head_momentum   0.9       the authors' code
//
// Every matrix is stored as outputs x inputs, and its direction is
//
//   x / max(root mean square of x, 1e-8), for each output row
//
// The embedding is normalized for each column instead, over the vocabulary. x is the average M = beta M + (1
// - beta) G, from zero, for the head and G for all other matrices. Adam with epsilon before the bias
// correction updates the other tensors. A weight that is both embedding and head counts as embedding
// (parameter_groups.h).
//
// State: m n of the head; the other matrices have none.
//
// Departures: one learning rate serves all tensors. The authors give tensors of one dimension 1e-3 when the
// others have less.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct ScaleOptions {
  double head_momentum = 0.9;
};
void declare_options(OptionTable& table, ScaleOptions& options);

std::unique_ptr<Method> make_scale(const ScaleOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> scale_kind(const ScaleOptions& options = {});

}  // namespace galore
