// Moves a basis along the Grassmannian after the gradient (Rajabi et al. 2025, SubTrack++, arXiv 2502.01586,
// section 3; Edelman et al. 1998, eq. 2.65): one geodesic step, of rank one, towards the gradient's leading
// directions.
//
// S is b x r with orthonormal columns; h is the gradient, b x c, transposed for the right side; A = S^T h:
//
//   D = 2 (h - S A) A^T              the tangent direction of steepest descent of |h - S A|^2; S^T D = 0
//   D ~ sigma u v^T                  its leading singular triple
//   S <- S + (S v (cos angle - 1) + u sin angle) v^T
//
// angle = step_size atan2(sigma / 2, |A^T v|^2) is step_size times the rotation of S v by one step of power
// iteration. The paper uses sigma eta, and the right size of eta depends on the gradient's size: eta is 0.1
// to 10,000 there.
//
// The cost is two products with the gradient, as in a warm iteration. The residual h - S A is not formed.
#pragma once

#include "optim/subspaces/subspace.h"

namespace galore {

// Returns the moved basis in a workspace buffer, or an undefined tensor when the gradient determines no step
// (it lies inside the subspace, or is zero or not finite). `basis` is the basis of `side` in fp32.
at::Tensor grassmann_step(const GradientOperator& gradient, Side side, const at::Tensor& basis,
                          double step_size, Workspace& workspace);

}  // namespace galore
