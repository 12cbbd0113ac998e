// The part C of Alice's direction that lies outside the subspace (alice.h has the formulas and the paper).
// Legend: G the gradient, U the basis, S = U^T G.
#pragma once

#include <ATen/core/Tensor.h>

#include "optim/limiters/norm_growth.h"
#include "optim/methods/line_scaling.h"
#include "optim/methods/method_kind.h"

namespace galore {

class AliceComplement {
 public:
  struct Numbers {
    double beta, epsilon, limiter;
  };
  AliceComplement(const Subspace& subspace, const MethodInputs& inputs, const Numbers& numbers);

  // Multiplies the lines of G and S by `factor` k, where C = (G - U S) k.
  void scale(const at::Tensor& gradient, const at::Tensor& low_rank, double factor);
  void visit(StateVisitor& visitor);

 private:
  Numbers numbers_;
  LineScaling lines_;
  NormGrowth limiter_;
  double dimensions_;   // of the space outside
  at::Tensor average_;  // p
};

}  // namespace galore
