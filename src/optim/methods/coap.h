// COAP: Memory-Efficient Training with Correlation-Aware Gradient Projection.
// Xiao, Sang, Zhi, Liu, Yan, Luo, Yuan; CVPR 2025; arXiv 2412.00071, in the order of the authors' code.
//
//   symbol   name in code       default   where the default comes from
//   r        rank               128       as in all low-rank methods here
//   T_u      update_proj_gap    32        the authors' code
//   lambda   reproject_factor   5         the authors' code
//   eta_P    coap_rate          0.1       the authors' code
//            scale              1         a factor on the lifted direction
//
// The first P holds the singular vectors of G (m x n; P is n x r when m >= n). Before update t = k T_u + 1, P
// changes:
//
//   if k is a multiple of lambda:
//     Q = orth(G P), P = right singular vectors of Q^T G, with the signs of the old P
//   otherwise by one step of gradient descent, P -= eta_P min(1, 1 / |slope|) slope, on
//     mean (G P P^T - G)^2 (1 - mean over rows i of cos(X_i, G_i)),  X = M P^T, M the first moment
//
// direction = scale N P^T, where N is Adam's direction of G P. Moments keep their coordinates. For m < n, P
// multiplies from the left.
//
// Neither G P P^T - G nor X is formed. Let H be the matrix with P on its left side (G^T, or G when m < n), W
// = P^T H, K = W W^T and Q = P^T P. Then the slope of the first factor is 2 / (m n) (P K + H W^T (Q - 2 I)),
// and the cosines need only the rows' norms and their products with low-rank rows.
//
// State: GaLore's.
//
// Departures: GaLore's AdamW runs inside the subspace and decays the weight after the update.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct CoapOptions {
  int64_t rank = 128, update_proj_gap = 32, reproject_factor = 5;
  double coap_rate = 0.1, scale = 1;
};
void declare_options(OptionTable& table, CoapOptions& options);

std::unique_ptr<Method> make_coap(const CoapOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> coap_kind(const CoapOptions& options = {});

}  // namespace galore
