#include "optim/methods/frugal.h"

#include <ATen/ATen.h>

#include "kernels/matmul.h"
#include "optim/methods/subspace_method.h"

namespace galore {
namespace {

class Frugal : public SubspaceMethod {
 public:
  Frugal(const FrugalOptions& options, std::unique_ptr<Subspace> subspace, std::unique_ptr<UpdateRule> rule,
         const MethodInputs& inputs)
      : SubspaceMethod(std::move(subspace), std::move(rule)),
        options_(options),
        is_whole_(subspace_->orthonormal() && subspace_->rank() == std::min(inputs.rows(), inputs.columns())),
        workspace_(inputs.workspace) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    const at::Tensor low_rank = project(gradient, context);
    const bool has_residual = options_.sign_scale > 0 && !is_whole_;
    if (has_residual) make_signs_of_residual(gradient, low_rank);
    Direction direction = subspace_->lift(rule_->direction(low_rank, ++count_), 1);
    if (has_residual) direction.dense = gradient;
    return direction;
  }

  std::string refresh(const GradientOperator& gradient, const RandomStream& random, int64_t) override {
    const std::string notice = SubspaceMethod::refresh(gradient, random, count_);
    if (!subspace_->rotation().defined()) {
      rule_->reset();
      count_ = 0;
    }
    return notice;
  }

  void visit(StateVisitor& visitor) override {
    SubspaceMethod::visit(visitor);
    visitor.scalar("since_reset", count_);
  }

 private:
  // gradient = sign_scale sign(gradient - back(low_rank))
  void make_signs_of_residual(const at::Tensor& gradient, const at::Tensor& low_rank) {
    at::Tensor negative =
        workspace_.get(Owner::workspace, "optimizer.low_rank_copy", low_rank.sizes(), at::kFloat);
    at::neg_out(negative, low_rank);
    const Direction inside = subspace_->lift(negative, 1);
    matrix_product(gradient, inside.left, inside.right, Write::accumulate);
    gradient.sign_();
    if (options_.sign_scale != 1) gradient.mul_(options_.sign_scale);
  }

  FrugalOptions options_;
  bool is_whole_;
  int64_t count_ = 0;  // updates since the moments were zero
  Workspace& workspace_;
};

}  // namespace

void declare_options(OptionTable& table, FrugalOptions& options) {
  table.add("sign_scale", &options.sign_scale, "factor on the sign of the residual")
      .range(0, 1e9)
      .origin("paper, Algorithm 1");
}

std::unique_ptr<Method> make_frugal(const FrugalOptions& options, const MethodInputs& inputs) {
  auto subspace = inputs.subspace();
  auto rule = inputs.rule(subspace->low_rank_shape());
  return std::make_unique<Frugal>(options, std::move(subspace), std::move(rule), inputs);
}

std::unique_ptr<MethodKind> frugal_kind(const FrugalOptions& options) {
  return method_kind("frugal", {.has_basis = true, .needs_orthonormal = true}, make_frugal, options);
}

}  // namespace galore
