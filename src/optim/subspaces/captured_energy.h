// Measures the share of a gradient's squared norm that lies inside a subspace.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/memory.h"
#include "optim/subspaces/basis.h"
#include "optim/subspaces/gradient_operator.h"

namespace galore {

// The span of a basis. `oblique` means that its columns are not orthonormal.
struct BasisSpan {
  Basis& basis;
  Side side;
  bool oblique = false;
};

// Returns a share from 0 to 1, or nothing if the gradient is zero or not finite. `low_rank` is the gradient's
// projection. If the gradient's norm is not known without a full product, the part outside the span is
// estimated by 16 random probes; the span has one side in this case.
std::optional<double> captured_energy(const GradientOperator& gradient, const at::Tensor& low_rank,
                                      const BasisSpan& span, Workspace& workspace);

}  // namespace galore
