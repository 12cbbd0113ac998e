// Fira's and APOLLO's factors: how much an update rule enlarges each line of the low-rank gradient,
//
//   k_j = |N_j| / (|R_j| + 1e-8)
//
// N what the rule made of R. Lines are the rows of a right-projected weight and the columns of a
// left-projected one, which low-rank tensors share with the weight; or there is one factor for all of it, as
// there must be where both sides are projected.
#pragma once

#include "core/memory.h"
#include "kernels/line_norms.h"
#include "optim/subspaces/subspace.h"

namespace galore {

class LineScaling {
 public:
  LineScaling(Side side, bool one_factor, Workspace& workspace)
      : lines_(side == Side::right ? kernels::Lines::rows : kernels::Lines::columns),
        one_factor_(one_factor || side == Side::both),
        workspace_(workspace) {}

  // Squared norms of the lines of a matrix (fp32, contiguous), in fp64: one number a line, or one. `name`: of
  // the workspace buffer that holds them.
  at::Tensor squares(const char* name, const at::Tensor& matrix) const;
  // k, from the squared norms of N and R; fp64.
  static at::Tensor factors(const at::Tensor& adapted_squares, const at::Tensor& low_rank_squares);
  // The norm of a matrix with these squared norms, its lines times their factors. 0 on the meta device.
  static double scaled_norm(const at::Tensor& squares, const at::Tensor& factors);
  // matrix *= times * factors, line by line.
  void scale(const at::Tensor& matrix, const at::Tensor& factors, double times) const;

 private:
  kernels::Lines lines_;
  bool one_factor_;
  Workspace& workspace_;
};

}  // namespace galore
