// SCALE: Stochastic Column-normAlized Last-layer momEntum, from Memory-Efficient LLM Pretraining via
// Minimalist Optimizer Design. Glentis, Li, Han, Hong; ICML 2026; arXiv 2506.16659, Algorithm 1; authors'
// code OptimAI-Lab/Minimalist_LLM_Pretraining.
//
//   symbol   name in code    default   where the default comes from
//   beta     head_momentum   0.9       the authors' code
//
// Of every matrix, stored outputs x inputs:
//   direction = x / max(root mean square of x, 1e-8) of each output row; of the embedding, of each column,
//   over the vocabulary
// with x = G; of the head its average M = beta M + (1 - beta) G, from zero. Other tensors: Adam, epsilon
// before the bias correction. Which weight is embedding or head its name says (parameter_groups.h); one that
// is both is an embedding.
//
// State: m n of the head, else none.
//
// Departures: one learning rate for all tensors; the authors give those of one dimension 1e-3 where the
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
