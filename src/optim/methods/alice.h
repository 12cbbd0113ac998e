// Alice: Adaptive low-dimensional subspace estimation, from Towards Efficient Optimizer Design for LLM via
// Structured Fisher Approximation with a Low-Rank Extension. Gong, Scetbon, Ma, Meeds; ICLR 2026;
// arXiv 2502.07752, Algorithms 2, 3, 4 and 10.
//
//   symbol    name in code       default   where the default comes from
//   r         rank               128       paper, table 11, 60m; 256, 256, 512 for larger models
//   K         update_proj_gap    200       paper, table 11
//   l         leading            40        paper, table 11; 160 at 1.3b
//   alpha     scale              0.3       paper, table 11; 0.25 at 1.3b
//   alpha_c   complement_scale   0.4       paper, table 11; 0.2 at 1.3b
//   beta1     adam_beta1         0.9       paper, table 11
//   beta2     alice_beta2        0.9       paper, table 11; adam_beta2 belongs to the other weights
//   beta3     basis_beta         0.999     paper, table 11; 0: Alice-0
//   gamma     limiter            1.01      paper, appendix F.2; 0 switches it off
//   epsilon   adam_epsilon       1e-8      ours: the paper divides by bare roots
//
// The formulas are for m <= n, where the shorter side is projected. For m > n, G^T takes the place of G; a
// square matrix counts as m > n.
//
//   at every refresh but the first:
//     Q = beta3 U Q' U^T + (1 - beta3) G G^T;  X = orth(Q U)
//     U' = X times the eigenvectors of X^T Q X, the largest first
//   at the first refresh:
//     U' = G's leading singular vectors
//
//   U = [the first l columns of U', r - l random orthonormal directions outside U']
//   S = U^T G;  Q' = beta3 Q' + (1 - beta3) S S^T;  M, V: Adam's moments of S;  W = M / (sqrt(V) + epsilon)
//   E = G - U S;  p_j = beta1 p_j + (1 - beta1) |E_j|^2;  C_j = sqrt(m - r) E_j / (sqrt(p_j) + epsilon),
//       limited by limiters/norm_growth.h
//
//   direction = alpha (U W + alpha_c C)
//
// There are no bias corrections. E is not formed: the norms of its columns follow from those of G and S, and
// the direction is G with scaled columns plus one product.
//
// State: U, m r; M and V, 2 n r; Q', r^2; p, n; one number.
//
// Departures:
// - Refreshes come at updates 1, K + 1, ...; the paper's come at 1, K, 2 K, ...
// - U' takes the signs that agree with U, as in all methods here. Moments keep their coordinates, as in the
//   paper.
// - Random directions avoid all of U'. The paper draws them from the complement of the kept columns, which
//   happens here only when m - r < r - l.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct AliceOptions {
  int64_t rank = 128, update_proj_gap = 200, leading = 40;
  double scale = 0.3, complement_scale = 0.4, alice_beta2 = 0.9, basis_beta = 0.999, limiter = 1.01;
};
void declare_options(OptionTable& table, AliceOptions& options);

std::unique_ptr<Method> make_alice(const AliceOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> alice_kind(const AliceOptions& options = {});

}  // namespace galore
