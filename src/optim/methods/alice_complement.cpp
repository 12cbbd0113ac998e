#include "optim/methods/alice_complement.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace galore {

AliceComplement::AliceComplement(const Subspace& subspace, const MethodInputs& inputs, const Numbers& numbers)
    : numbers_(numbers),
      lines_(subspace.side(), /*one_factor=*/false, inputs.workspace),
      limiter_(numbers.limiter),
      dimensions_(static_cast<double>(std::min(inputs.rows(), inputs.columns()) - subspace.rank())),
      average_(inputs.workspace.ledger().zeros(Owner::moments, {std::max(inputs.rows(), inputs.columns())},
                                               at::kFloat)) {}

void AliceComplement::scale(const at::Tensor& gradient, const at::Tensor& low_rank, double factor) {
  const at::Tensor squares =
      (lines_.squares("whole", gradient) - lines_.squares("inside", low_rank)).clamp_min(0);
  average_.mul_(numbers_.beta).add_(squares, 1 - numbers_.beta);
  const at::Tensor k = std::sqrt(dimensions_) / (average_.to(at::kDouble).sqrt() + numbers_.epsilon);
  const double limited = limiter_.factor(LineScaling::scaled_norm(squares, k));
  const double times = factor * limited;
  lines_.scale(gradient, k, times);
  lines_.scale(low_rank, k, times);
}

void AliceComplement::visit(StateVisitor& visitor) {
  visitor.tensor("outside", average_);
  limiter_.visit(visitor);
}

}  // namespace galore
