// The share of a gradient's squared norm that lies inside a subspace.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/memory.h"
#include "optim/subspaces/basis.h"
#include "optim/subspaces/gradient_operator.h"

namespace galore {

// The span of a basis. `oblique`: its columns are not orthonormal.
struct BasisSpan {
  Basis& basis;
  Side side;
  bool oblique = false;
};

// From 0 to 1; nothing where the gradient is zero or not finite. `low_rank` is the gradient's projection.
// Where the gradient's norm is not known without a product of its size, the part outside of the span, which
// has one side then, is estimated by 16 random probes.
std::optional<double> captured_energy(const GradientOperator& gradient, const at::Tensor& low_rank,
                                      const BasisSpan& span, Workspace& workspace);

}  // namespace galore
