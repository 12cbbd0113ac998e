// SUMO: Subspace-Aware Moment-Orthogonalization for Accelerating Memory-Efficient LLM Training.
// Refael, Smorodinsky, Tirer, Lindenbaum; NeurIPS 2025; arXiv 2505.24749, Algorithm 1.
//
//   symbol   name in code      default   where the default comes from
//   r, K, Q  Subspace          as GaLore
//   mu       momentum          0.95      Muon's; the paper prints none
//   gamma    limiter           1.1       paper, Algorithm 1
//            scale             1         a factor on the direction
//
//   R = Q^T G;  M = mu M + R;  O = U V^T of M = U S V^T
//   direction = scale sqrt(max(m, n)) (G - Q R + Q limit(O))
//
// At a refresh M rotates into the new basis: Q_new^T Q_old M (moment_transport).
//
// State: the basis, m r, one moment of r n elements, and the limiter's number.
//
// Departures:
// - Q is found as in all methods here (subspace=svd finds it exactly), and the projected side is chosen as in
//   GaLore. The paper uses a truncated randomized SVD and projects the longer side.
// - O has no component where M has none (kernels/polar_factor.h). Only then does the limiter see a norm other
//   than the root of the rank.
// - One learning rate serves all weights, although sqrt(max(m, n)) in the direction calls for a smaller one;
//   `scale` or optim_overrides can set them apart.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct SumoOptions {
  double momentum = 0.95, limiter = 1.1, scale = 1;
};
void declare_options(OptionTable& table, SumoOptions& options);

std::unique_ptr<Method> make_sumo(const SumoOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> sumo_kind(const SumoOptions& options = {});

}  // namespace galore
