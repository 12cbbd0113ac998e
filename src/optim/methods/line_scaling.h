// The scaling factors of Fira and APOLLO. They tell how much an update rule enlarges each line of the
// low-rank gradient:
//
//   k_j = |N_j| / (|R_j| + 1e-8),  N the rule's direction of R
//
// Lines are the rows of a right-projected weight and the columns of a left-projected one; low-rank tensors
// have the same lines as the weight. A single factor for the whole tensor is the alternative, and the only
// choice when both sides are projected.
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

  // Returns the squared norms of the lines of a matrix (fp32, contiguous) in fp64: one number for each line,
  // or a single one. `name` is the name of the workspace buffer that holds them.
  at::Tensor squares(const char* name, const at::Tensor& matrix) const;
  // Returns k in fp64, computed from the squared norms of N and R.
  static at::Tensor factors(const at::Tensor& adapted_squares, const at::Tensor& low_rank_squares);
  // Returns the norm of a matrix after its lines, which have these squared norms, are multiplied by their
  // factors. It is 0 on the meta device.
  static double scaled_norm(const at::Tensor& squares, const at::Tensor& factors);
  // Multiplies each line of the matrix by its factor and by `times`.
  void scale(const at::Tensor& matrix, const at::Tensor& factors, double times) const;

 private:
  kernels::Lines lines_;
  bool one_factor_;
  Workspace& workspace_;
};

}  // namespace galore
