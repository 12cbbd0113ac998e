// The common base of methods that take a basis from the gradient at intervals and run an update rule inside
// it.
#pragma once

#include "optim/methods/method.h"

namespace galore {

class SubspaceMethod : public Method {
 public:
  SubspaceMethod(std::unique_ptr<Subspace> subspace, std::unique_ptr<UpdateRule> rule)
      : subspace_(std::move(subspace)), rule_(std::move(rule)) {}

  Subspace* subspace() override { return subspace_.get(); }
  // Refreshes the basis and, if the subspace asks for it, rotates the rule's state into the new basis.
  std::string refresh(const GradientOperator& gradient, const RandomStream& random, int64_t steps) override;
  void visit(StateVisitor& visitor) override;

 protected:
  // Returns the low-rank gradient, after a refresh if one is due. It lies in a workspace buffer that the next
  // projection reuses.
  at::Tensor project(const at::Tensor& gradient, const StepContext& context);

  std::unique_ptr<Subspace> subspace_;
  std::unique_ptr<UpdateRule> rule_;
};

}  // namespace galore
