// A basis of columns of the discrete cosine transform's matrix: its numbers are kept, not the columns.
//
// FFT-based Dynamic Subspace Selection for Low-Rank Adaptive Optimization of Large Language Models.
// Modoranu, Safaryan, Schultheis, Ryabinin, Chumachenko, Alistarh; ICLR 2026; arXiv 2505.17967.
//
//   H: the gradient with the projected side along its rows (G, or G^T where P stands left)
//
//   S = H Q, Q of kernels/dct.h, as the authors' code has it
//
//   P = the r columns of Q whose columns in S have the largest l1 norm; of equals those with lower numbers
//
// State: 4 r bytes a basis; the columns are made again, from a table of 4 n cosines, whenever they are read.
//
// Departures: a column that is chosen again stays in its place, so that its moments stay its own (the authors
// turn the moments by P_old^T P_new, of zeros and ones: moment_transport=true does that, and forgets those of
// columns that leave; without it they go to the newcomers, as in GaLore). Signs need no care. No error
// feedback: that belongs to a method. Whether the paper means the columns or the rows of Q is not clear from
// its text; its code takes the columns.
#pragma once

#include <optional>
#include <string>

#include "optim/subspaces/basis.h"

namespace galore {

// One side of it.
class DctColumns {
 public:
  // The first columns, until select().
  DctColumns(const BasisShape& shape, Workspace& workspace);
  at::Tensor read();
  void visit(const std::string& name, StateVisitor& visitor);

  // Takes the columns of the largest `sizes` (fp64, one for each column of Q). Returns old^T new, r x r,
  // fp32.
  at::Tensor select(const at::Tensor& sizes);

 private:
  BasisShape shape_;
  Workspace& workspace_;
  at::Tensor columns_;  // r, int32
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
