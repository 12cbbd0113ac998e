#include "optim/methods/sumo.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/polar_factor.h"
#include "optim/limiters/norm_growth.h"
#include "optim/methods/subspace_method.h"
#include "optim/update_rules/sgd.h"

namespace galore {
namespace {

class Sumo : public SubspaceMethod {
 public:
  Sumo(const SumoOptions& options, std::unique_ptr<Subspace> subspace, std::unique_ptr<UpdateRule> momentum,
       const MethodInputs& inputs)
      : SubspaceMethod(std::move(subspace), std::move(momentum)),
        factor_(options.scale * std::sqrt(static_cast<double>(std::max(inputs.rows(), inputs.columns())))),
        workspace_(inputs.workspace),
        limiter_(options.limiter) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    const at::Tensor projected = project(gradient, context);
    at::Tensor low_rank =
        workspace_.get(Owner::workspace, "optimizer.low_rank_copy", projected.sizes(), at::kFloat);
    low_rank.copy_(projected);
    const at::Tensor polar = polar_factor(rule_->direction(projected, context.step), workspace_);
    const double limit = limiter_.factor(std::sqrt(kernels::sum_squares(polar)));
    if (limit != 1) polar.mul_(limit);
    Direction direction = subspace_->lift(at::sub_out(low_rank, polar, low_rank), factor_);
    direction.dense = gradient.mul_(factor_);
    return direction;
  }

  void visit(StateVisitor& visitor) override {
    SubspaceMethod::visit(visitor);
    limiter_.visit(visitor);
  }

 private:
  double factor_;
  Workspace& workspace_;
  NormGrowth limiter_;
};

}  // namespace

void declare_options(OptionTable& table, SumoOptions& options) {
  table.add("momentum", &options.momentum, "decay of the sum of low-rank gradients").range(0, 1 - 1e-9);
  table.add("limiter", &options.limiter, "largest growth of the polar factor's norm; 0 limits nothing")
      .range(0, 1e9)
      .origin("paper, Algorithm 1");
  table.add("scale", &options.scale, "factor on the direction").range(0, 1e9);
}

std::unique_ptr<Method> make_sumo(const SumoOptions& options, const MethodInputs& inputs) {
  auto subspace = inputs.subspace();
  auto momentum = make_sgd({.momentum = options.momentum}, inputs.settings.storage,
                           subspace->low_rank_shape(), inputs.workspace);
  return std::make_unique<Sumo>(options, std::move(subspace), std::move(momentum), inputs);
}

std::unique_ptr<MethodKind> sumo_kind(const SumoOptions& options) {
  return method_kind("sumo", {.has_basis = true, .needs_orthonormal = true}, make_sumo, options);
}

}  // namespace galore
