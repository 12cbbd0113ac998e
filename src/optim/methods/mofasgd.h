// Low-rank Momentum Factorization for Memory Efficient Training (MoFaSGD).
// Mahdavinia, Mahdavi; TMLR 2025; arXiv 2507.08091, Algorithm 1.
//
//   symbol   name in code   default   where the default comes from
//   r        rank           32        the paper's runs have 16 and 32; the cost grows with r^3
//   beta     momentum       0.95      paper
//            scale          1         a factor on the direction
//
// The momentum is kept as U diag(sigma) V^T of rank r. It begins with the leading singular triples of G;
// later updates compute
//
//   [U, G V] = Q_U R_U,  [V, G^T U] = Q_V R_V
//   R_U [[beta diag(sigma) - U^T G V, I], [I, 0]] R_V^T = S_U diag(sigma') S_V^T + ...   the first r triples
//   U <- Q_U S_U,  V <- Q_V S_V
//
// The result is the best approximation of rank r of the sum of beta U diag(sigma) V^T and the part of G that
// U or V can represent. direction = scale U V^T.
//
// State: U, m r, V, n r, and sigma, r.
//
// Departures: the start is the paper's; the authors' code starts from the weight's singular vectors. Pairs of
// vectors with a singular value that is mere rounding do not enter the direction, because they are not
// determined.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct MofaSgdOptions {
  int64_t rank = 32;
  double momentum = 0.95, scale = 1;
};
void declare_options(OptionTable& table, MofaSgdOptions& options);

std::unique_ptr<Method> make_mofasgd(const MofaSgdOptions& options, const MethodInputs& inputs);
std::unique_ptr<MethodKind> mofasgd_kind(const MofaSgdOptions& options = {});

}  // namespace galore
