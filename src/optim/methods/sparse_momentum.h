// Sparse momentum: the memory-efficient form of SPAM.
// Huang, Zhu, Jin, Liu, Wang, Liu; ICLR 2025; arXiv 2501.06842, section 3.3.
//
//   symbol   name in code   default   where the default comes from
//   d        density        1         paper: all elements have moments
//
// K = floor(d m n) elements of each targeted m x n weight are drawn at the first update and at each reset of
// SPAM (update_rules/spam.h). Until the next reset the rule updates only these elements, as the packed vector
// of their gradients. The elements drawn are those with the K smallest numbers in the random stream of that
// update.
//
// State: the rule's on K elements (Adam: 2 d m n) and one bit for each element.
//
// Departures from the authors' code: every mask has K elements, so that the state never changes its size; in
// the authors' code only the first mask has. Moments are not carried over to elements that are drawn again,
// because the authors' next step zeroes them.
#pragma once

#include "optim/methods/method_kind.h"

namespace galore {

struct SparseMomentumOptions {
  double density = 1;
};
void declare_options(OptionTable& table, SparseMomentumOptions& options);

// Makes the settings' rule alone when density is 1 or the weight is not a matrix.
std::unique_ptr<Method> make_sparse_momentum(const SparseMomentumOptions& options,
                                             const MethodInputs& inputs);
std::unique_ptr<MethodKind> sparse_momentum_kind(const SparseMomentumOptions& options = {});

}  // namespace galore
