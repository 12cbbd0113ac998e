// SubTrack++: Gradient Subspace Tracking for Scalable LLM Training.
// Rajabi, Nonta, Rambhatla; NeurIPS 2025; arXiv 2502.01586, Algorithm 1.
//
//   symbol   name in code       default   where the default comes from
//   r, k     rank, update_proj_gap        as GaLore
//   eta      step_size          1         relative to the angle of a power iteration
//                                         (subspaces/grassmann_step.h)
//   alpha    scale              0.25      the authors' scripts
//   zeta     limiter            1.01      paper, as Fira's
//            moment_transport   true      paper; off is its ablation
//
// The first basis is found as in all methods here. At later refreshes it moves along the Grassmannian, and
// the moments rotate into it as in LDAdam. Every update has the form of Fira's paper:
//
//   direction = alpha (P N + limit(k (G - P R)))
//
// State: GaLore's and the limiter's number.
//
// Departures from the authors' code, which is not the paper's algorithm: the residual of right-projected
// weights, the old basis, and the order of transport and step follow the paper. Departures from the paper:
// step_size has the unit given above, and a moved basis is orthonormalized again.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct SubtrackOptions {
  double step_size = 1, scale = 0.25, limiter = 1.01;
};
void declare_options(OptionTable& table, SubtrackOptions& options);

std::unique_ptr<Method> make_subtrack(const SubtrackOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> subtrack_kind(const SubtrackOptions& options = {});

}  // namespace galore
