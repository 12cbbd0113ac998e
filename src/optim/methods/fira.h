// Fira: Can We Achieve Full-rank Training of LLMs Under Low-rank Constraint?
// Chen, Feng, Li, Lai, Yue, Yuan, Wang; 2024; arXiv 2410.01623, Algorithm 1.
//
//   symbol   name in code      default    where the default comes from
//   r, T, P  Subspace          as GaLore  the authors' scripts
//   alpha    scale             0.25       the authors' scripts up to 350m; 0.0625 above
//   gamma    limiter           1.01       paper, section 4.3
//            variant           released   the authors' code, which is not Algorithm 1
//            scaling           column     paper; matrix and none (k = 1) are its ablations
//
// R = P^T G; N is the rule's direction of R; k_j = |N_j| / (|R_j| + 1e-8) for line j
// (methods/line_scaling.h); c is the rule's bias correction, sqrt(1 - beta2^t) / (1 - beta1^t), or 1 for
// rules without one; limit is the norm-growth limiter (limiters/norm_growth.h).
//
//   released   N without c;  S = limit(k (G - alpha P R));  direction = c (alpha P N + S)
//   paper      N with c;     S = limit(k (G - P R));        direction = alpha (P N + S)
//
// State: GaLore's, and one number.
//
// Departures:
// - Signs, and refreshes that determine nothing, are treated as in methods/galore.h.
// - A line is a row when the right side is projected and a column when the left side is. The authors' code
//   asks which side of R is longer, and fails for proj_type reverse_std when R is square.
// - proj_type=full, which fails in the authors' code, uses one factor k, because no line of R is a line of G.
// - limiter=0 limits nothing, and after a zero residual nothing is limited (limiters/norm_growth.h).
// - Over 8-bit AdamW, for which the authors have no version, N is the direction divided by c.
// - Weight decay also works over RMSProp.
#pragma once

#include "optim/methods/method_kind.h"
#include "optim/methods/scaled_residual.h"

namespace galore {

struct FiraOptions {
  ResidualOptions residual;
};
void declare_options(OptionTable& table, FiraOptions& options);

std::unique_ptr<Method> make_fira(const FiraOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> fira_kind(const FiraOptions& options = {});

}  // namespace galore
