// Low-rank Momentum Factorization for Memory Efficient Training (MoFaSGD).
// Mahdavinia, Mahdavi; TMLR 2025; arXiv 2507.08091, Algorithm 1.
//
//   symbol   name in code   default   where the default comes from
//   r        rank           32        the paper's runs have 16 and 32; the cost grows with r^3
//   beta     momentum       0.95      paper
//            scale          1         a factor on the direction
//
// The momentum is kept as U diag(sigma) V^T of rank r: at first the leading singular triples of G, later
//
//   [U, G V] = Q_U R_U,  [V, G^T U] = Q_V R_V
//   R_U [[beta diag(sigma) - U^T G V, I], [I, 0]] R_V^T = S_U diag(sigma') S_V^T + ...   its first r triples
//   U <- Q_U S_U,  V <- Q_V S_V
//
// which is the best rank r of beta U diag(sigma) V^T and what of G touches U or V.  direction = scale U V^T.
//
// State: U, m r, V, n r, and sigma, r.
//
// Departures: the start is the paper's, not the authors' code's, which takes the weight's singular vectors.
// Pairs of vectors whose singular value is rounding have no part in the direction: they are not determined.
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
