// Memory-Efficient LLM Training with Online Subspace Descent.
// Liang, Liu, Chen, Liu; NeurIPS 2024; arXiv 2408.12857, Algorithm 1.
//
//   symbol     name in code    default   where the default comes from
//   r          rank            128       as GaLore
//   alpha      scale           0.25      as GaLore
//   eta_P      osd_lr          0.005     the authors' code: 1 / T with GaLore's T = 200
//   lambda     osd_lambda      0.1       paper, section 5; the authors' code has none
//
//   R = P^T G;  direction = alpha P N, where N is Adam's direction of R
//   then P takes a step of Adam with rate osd_lr on |P P^T g - g|^2 + lambda |P^T P - I|^2,  g = G / |G|
//
// With A = P^T g, W = g A^T, K = A A^T and Q = P^T P, the gradient of this loss is 2 (P K + W (Q - 2 I)) + 4
// lambda P (Q - I). It takes one product of m n r in addition to GaLore's two, and no m x n matrix.
//
// The first basis holds the gradient's leading singular vectors and stays for one update: its loss is least
// there, and Adam would follow rounding errors. P drifts from orthonormality; only lambda corrects this.
//
// State: the basis and its two moments, 3 m r, Adam's moments of R, 2 r n, and a count.
//
// Departures: no weight decay acts on P. A zero gradient does not move P.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct OsdOptions {
  int64_t rank = 128;
  double scale = 0.25, osd_lr = 0.005, osd_lambda = 0.1;
};
void declare_options(OptionTable& table, OsdOptions& options);

std::unique_ptr<Method> make_osd(const OsdOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> osd_kind(const OsdOptions& options = {});

}  // namespace galore
