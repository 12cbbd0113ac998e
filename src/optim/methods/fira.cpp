#include "optim/methods/fira.h"

#include "optim/methods/subspace_method.h"

namespace galore {
namespace {

class Fira : public SubspaceMethod {
 public:
  Fira(const FiraOptions& options, std::unique_ptr<Subspace> subspace, std::unique_ptr<UpdateRule> rule,
       Workspace& workspace)
      : SubspaceMethod(std::move(subspace), std::move(rule)),
        residual_(options.residual, subspace_->side(), workspace) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    const at::Tensor low_rank = project(gradient, context);
    return residual_.direction(gradient, low_rank, *rule_, context.step, *subspace_);
  }

  void visit(StateVisitor& visitor) override {
    SubspaceMethod::visit(visitor);
    residual_.visit(visitor);
  }

 private:
  ScaledResidual residual_;
};

}  // namespace

void declare_options(OptionTable& table, FiraOptions& options) { declare_options(table, options.residual); }

std::unique_ptr<Method> make_fira(const FiraOptions& options, const MethodInputs& inputs) {
  auto subspace = inputs.subspace();
  auto rule = inputs.rule(subspace->low_rank_shape());
  return std::make_unique<Fira>(options, std::move(subspace), std::move(rule), inputs.workspace);
}

std::unique_ptr<MethodKind> fira_kind(const FiraOptions& options) {
  return method_kind("fira", {.has_basis = true}, make_fira, options);
}

}  // namespace galore
