// RACS: Row and Column Scaled SGD, from Towards Efficient Optimizer Design for LLM via Structured Fisher
// Approximation with a Low-Rank Extension. Gong, Scetbon, Ma, Meeds; ICLR 2026; arXiv 2502.07752,
// Algorithm 1 and equation 16.
//
//   symbol   name in code   default   where the default comes from
//   beta     racs_beta      0.9       paper, table 9
//   alpha    scale          0.05      paper, table 9; 0.02 at 1.3b
//   gamma    limiter        1.01      paper, appendix F.2; 0 switches it off
//            iterations     5         paper, section 4
//
//   from q = 1, `iterations` times:  s_j = sum_i q_i G_ij^2 / |q|^2;  q_i = sum_j s_j G_ij^2 / |s|^2
//   averages of s and of q with beta, from zero, without bias correction
//   direction_ij = alpha G_ij / sqrt(q_i s_j), through Fira's limiter (limiters/norm_growth.h)
//
// State: m + n and one number.
//
// Departures: the direction is 0 where q_i s_j is 0, and for a gradient of zeros; the paper divides by zero
// there.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct RacsOptions {
  double racs_beta = 0.9, scale = 0.05, limiter = 1.01;
  int64_t iterations = 5;
};
void declare_options(OptionTable& table, RacsOptions& options);

std::unique_ptr<Method> make_racs(const RacsOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> racs_kind(const RacsOptions& options = {});

}  // namespace galore
