#include "optim/methods/line_scaling.h"

#include <cmath>
#include <string>

#include "kernels/apply_direction.h"

namespace galore {

at::Tensor LineScaling::squares(const char* name, const at::Tensor& matrix) const {
  const int64_t count = one_factor_ ? 1 : matrix.size(lines_ == kernels::Lines::rows ? 0 : 1);
  const at::Tensor out =
      workspace_.get(Owner::workspace, std::string("optimizer.squares.") + name, {count}, at::kDouble);
  if (one_factor_) return out.fill_(kernels::sum_squares(matrix));
  kernels::squared_norms(out, matrix, lines_);
  return out;
}

at::Tensor LineScaling::factors(const at::Tensor& adapted_squares, const at::Tensor& low_rank_squares) {
  constexpr double kEpsilon = 1e-8;  // the authors' code
  return adapted_squares.sqrt() / (low_rank_squares.sqrt() + kEpsilon);
}

double LineScaling::scaled_norm(const at::Tensor& squares, const at::Tensor& factors) {
  if (squares.is_meta()) return 0;
  return std::sqrt((squares * factors.square()).sum().item<double>());
}

void LineScaling::scale(const at::Tensor& matrix, const at::Tensor& factors, double times) const {
  const at::Tensor narrow = (factors * times).to(at::kFloat);
  one_factor_ ? void(matrix.mul_(narrow)) : kernels::scale_lines(matrix, narrow, lines_);
}

}  // namespace galore
