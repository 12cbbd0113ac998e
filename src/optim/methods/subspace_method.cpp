#include "optim/methods/subspace_method.h"

namespace galore {

std::string SubspaceMethod::refresh(const GradientOperator& gradient, const RandomStream& random,
                                    int64_t steps) {
  const at::Tensor average = subspace_->wants_average() ? rule_->average() : at::Tensor();
  const std::string notice = subspace_->refresh(gradient, random, average);
  if (subspace_->rotation().defined())
    rule_->transport(subspace_->rotation(), subspace_->side() == Side::right, steps);
  return notice;
}

at::Tensor SubspaceMethod::project(const at::Tensor& gradient, const StepContext& context) {
  if (!context.refresh_due) return subspace_->project(gradient);
  const std::string notice = refresh(DenseGradient(gradient), context.random, context.step - 1);
  context.note(notice);
  return subspace_->project_refreshed(gradient);
}

void SubspaceMethod::visit(StateVisitor& visitor) {
  subspace_->visit(visitor);
  rule_->visit(visitor);
}

}  // namespace galore
