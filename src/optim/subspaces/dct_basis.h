// A basis of columns of the discrete cosine transform's matrix. It stores the columns' numbers only.
//
// FFT-based Dynamic Subspace Selection for Low-Rank Adaptive Optimization of Large Language Models.
// Modoranu, Safaryan, Schultheis, Ryabinin, Chumachenko, Alistarh; ICLR 2026; arXiv 2505.17967.
//
//   H: the gradient with the projected side along its rows (G, or G^T when P multiplies from the left)
//   S = H Q, Q of kernels/dct.h, as in the authors' code
//   P = the r columns of Q with the largest l1 norms in S; among equals the lower numbers
//
// State: 4 r bytes for each basis. The columns are generated from a table of 4 n cosines whenever they are
// read.
//
// Departures: a column that is chosen again stays in its place, so that it keeps its moments. The authors
// rotate the moments by P_old^T P_new, which consists of zeros and ones; moment_transport=true does this and
// drops the moments of columns that leave, while without it they pass to the new columns, as in GaLore. Signs
// need no treatment. Error feedback is left to methods. The paper's text does not tell whether it means the
// columns or the rows of Q; its code takes the columns.
#pragma once

#include <optional>
#include <string>

#include "optim/subspaces/basis.h"

namespace galore {

// One side of the basis.
class DctColumns {
 public:
  // Holds the first columns until select() is called.
  DctColumns(const BasisShape& shape, Workspace& workspace);
  at::Tensor read();
  void visit(const std::string& name, StateVisitor& visitor);

  // Takes the columns with the largest `sizes` (fp64, one for each column of Q). Returns old^T new, r x r, in
  // fp32.
  at::Tensor select(const at::Tensor& sizes);

 private:
  BasisShape shape_;
  Workspace& workspace_;
  at::Tensor columns_;  // r numbers, int32
};

class DctBasis : public Basis {
 public:
  explicit DctBasis(const BasisInputs& inputs);
  Refreshed refresh(const GradientOperator& gradient, const RandomStream& random,
                    const at::Tensor& average) override;
  at::Tensor left() override { return left_->read(); }
  at::Tensor right() override { return right_->read(); }
  void visit(StateVisitor& visitor) override;

 private:
  std::string choose(const GradientOperator& gradient);

  Workspace& workspace_;
  std::optional<DctColumns> left_, right_;
};

}  // namespace galore
