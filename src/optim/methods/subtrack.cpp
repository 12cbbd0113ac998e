#include "optim/methods/subtrack.h"

#include "core/errors.h"
#include "optim/methods/scaled_residual.h"
#include "optim/methods/subspace_method.h"
#include "optim/subspaces/grassmann_step.h"

namespace galore {
namespace {

class Subtrack : public SubspaceMethod {
 public:
  Subtrack(const SubtrackOptions& options, std::unique_ptr<Subspace> subspace,
           std::unique_ptr<UpdateRule> rule, Workspace& workspace)
      : SubspaceMethod(std::move(subspace), std::move(rule)),
        step_size_(options.step_size),
        residual_({options.scale, "paper", options.limiter, "column"}, subspace_->side(), workspace),
        workspace_(workspace) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    const at::Tensor low_rank = project(gradient, context);
    return residual_.direction(gradient, low_rank, *rule_, context.step, *subspace_);
  }

  std::string refresh(const GradientOperator& gradient, const RandomStream& random, int64_t steps) override {
    if (!subspace_->established()) {
      const std::string notice = SubspaceMethod::refresh(gradient, random, steps);
      if (!gradient.is_meta()) return notice;  // a memory plan has one refresh: it sees both kinds
    }
    const Side side = subspace_->side();
    bool moved = side != Side::right && move(gradient, Side::left);
    if (side != Side::left) moved |= move(gradient, Side::right);
    if (!moved) return "the gradient leads nowhere: keeps the old basis";
    if (subspace_->rotation().defined()) rule_->transport(subspace_->rotation(), side == Side::right, steps);
    return "";
  }

  void visit(StateVisitor& visitor) override {
    SubspaceMethod::visit(visitor);
    residual_.visit(visitor);
  }

 private:
  bool move(const GradientOperator& gradient, Side side) {
    const at::Tensor basis = side == Side::left ? subspace_->left() : subspace_->right();
    const at::Tensor moved = grassmann_step(gradient, side, basis, step_size_, workspace_);
    if (moved.defined()) subspace_->replace(side, moved);
    return moved.defined();
  }

  double step_size_;
  ScaledResidual residual_;
  Workspace& workspace_;
};

}  // namespace

void declare_options(OptionTable& table, SubtrackOptions& options) {
  table.add("step_size", &options.step_size, "of the basis, in angles of a power iteration").range(0, 1e6);
  table.add("scale", &options.scale, "alpha: factor on the direction")
      .range(0, 1e9)
      .origin("the authors' scripts");
  table.add("limiter", &options.limiter, "largest growth of the residual's norm; 0 limits nothing")
      .range(0, 1e9)
      .origin("paper");
}

std::unique_ptr<Method> make_subtrack(const SubtrackOptions& options, const MethodInputs& inputs) {
  auto subspace = inputs.subspace();
  auto rule = inputs.rule(subspace->low_rank_shape());
  return std::make_unique<Subtrack>(options, std::move(subspace), std::move(rule), inputs.workspace);
}

std::unique_ptr<MethodKind> subtrack_kind(const SubtrackOptions& options) {
  return method_kind("subtrack", {.has_basis = true, .needs_orthonormal = true, .moves_basis = true},
                     make_subtrack, options);
}

}  // namespace galore
