// A basis that follows the gradient along the Grassmannian (Rajabi et al. 2025, SubTrack++, arXiv 2502.01586,
// section 3; Edelman et al. 1998, eq. 2.65): one geodesic step, of rank one, towards the gradient's leading
// directions.
//
// S, b x r, with orthonormal columns; h the gradient, b x c, transposed for the right side; A = S^T h:
//
//   D = 2 (h - S A) A^T              the tangent direction of steepest descent of |h - S A|^2; S^T D = 0
//   D ~ sigma u v^T                  its leading singular triple
//   S <- S + (S v (cos angle - 1) + u sin angle) v^T
//
// angle = step_size atan2(sigma / 2, |A^T v|^2): what one step of power iteration would turn S v by, times
// step_size. The paper has sigma eta, whose right size depends on the gradient's: eta is 0.1 to 10,000 there.
//
// Two products with the gradient, as a warm iteration. The residual h - S A is not formed.
#pragma once

#include "optim/subspaces/subspace.h"

namespace galore {

// The moved basis, in a workspace buffer; undefined where the gradient says nothing (it lies inside, or is
// zero or not finite). `basis`: of `side`, fp32.
at::Tensor grassmann_step(const GradientOperator& gradient, Side side, const at::Tensor& basis,
                          double step_size, Workspace& workspace);

}  // namespace galore
