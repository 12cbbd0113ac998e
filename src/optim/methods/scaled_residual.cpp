#include "optim/methods/scaled_residual.h"

#include <ATen/ATen.h>

#include "kernels/matmul.h"

namespace galore {
namespace {

// A norm that is less than this share of what it is the difference of is summed from the residual itself.
// Bases are orthonormal to about 1e-6, so above it norms are right to 1e-5.
constexpr double kSafeShare = 0.3;

}  // namespace

void declare_options(OptionTable& table, ResidualOptions& options) {
  table.add("scale", &options.scale, "alpha: factor on the lifted direction")
      .range(0, 1e9)
      .origin("paper, section 5.1")
      .alias("galore_scale");
  table
      .add("variant", &options.variant,
           "released: as the authors' code, paper: as Algorithm 1; they treat alpha and the bias correction "
           "differently")
      .choices({"released", "paper"});
  table.add("limiter", &options.limiter, "gamma: largest growth of the residual's norm; 0 limits nothing")
      .range(0, 1e9)
      .origin("paper, section 4.3");
  table
      .add("scaling", &options.scaling,
           "one factor for each line that low-rank gradients share with the weight, one for the matrix, or "
           "none: the residual as it is")
      .choices({"column", "matrix", "none"});
}

ScaledResidual::ScaledResidual(const ResidualOptions& options, Side side, Workspace& workspace)
    : options_(options),
      inside_(released() ? options.scale : 1),
      outside_(released() ? 1 : options.scale),
      workspace_(workspace),
      lines_(side, options.scaling == "matrix", workspace),
      limiter_(options.limiter) {}

Direction ScaledResidual::direction(const at::Tensor& gradient, const at::Tensor& low_rank_gradient,
                                    UpdateRule& rule, int64_t step, Subspace& subspace) {
  const at::Tensor copy =
      workspace_.get(Owner::workspace, "optimizer.low_rank_copy", low_rank_gradient.sizes(), at::kFloat);
  copy.copy_(low_rank_gradient);
  const Inputs inputs{gradient, copy, rule.direction(low_rank_gradient, step), rule.correction(step)};
  const at::Tensor low_rank = lines_.squares("low_rank", inputs.low_rank);
  const at::Tensor factors = unscaled()
                                 ? at::ones_like(low_rank)
                                 : LineScaling::factors(lines_.squares("adapted", inputs.adapted), low_rank);
  const at::Tensor squares = lines_.squares("gradient", inputs.gradient);
  const double whole = LineScaling::scaled_norm(squares, factors);
  squares.sub_(low_rank, 2 * inside_ - inside_ * inside_).clamp_min_(0);
  const double norm = LineScaling::scaled_norm(squares, factors);
  if (!subspace.orthonormal() || norm < kSafeShare * whole) return of_residual(inputs, factors, subspace);
  return of_difference(inputs, factors, norm, subspace);
}

double ScaledResidual::limit(const Inputs& inputs, double norm) {
  return limiter_.factor(released() && !unscaled() ? norm / inputs.correction : norm);
}

Direction ScaledResidual::of_difference(const Inputs& inputs, const at::Tensor& factors, double norm,
                                        Subspace& subspace) {
  const double times = outside_ * limit(inputs, norm);
  lines_.scale(inputs.gradient, factors, times);
  lines_.scale(inputs.low_rank, factors, -times * inside_);
  inputs.low_rank.add_(inputs.adapted, options_.scale);
  Direction direction = subspace.lift(inputs.low_rank, 1);
  direction.dense = inputs.gradient;
  return direction;
}

Direction ScaledResidual::of_residual(const Inputs& inputs, const at::Tensor& factors, Subspace& subspace) {
  const Direction inside = subspace.lift(inputs.low_rank.mul_(-inside_), 1);
  matrix_product(inputs.gradient, inside.left, inside.right, Write::accumulate);
  const double norm = LineScaling::scaled_norm(lines_.squares("gradient", inputs.gradient), factors);
  lines_.scale(inputs.gradient, factors, outside_ * limit(inputs, norm));
  Direction direction = subspace.lift(inputs.adapted, options_.scale);
  direction.dense = inputs.gradient;
  return direction;
}

}  // namespace galore
