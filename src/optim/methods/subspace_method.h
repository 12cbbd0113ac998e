// What methods share that take a basis from the gradient now and then and run an update rule inside it.
#pragma once

#include "optim/methods/method.h"

namespace galore {

class SubspaceMethod : public Method {
 public:
  SubspaceMethod(std::unique_ptr<Subspace> subspace, std::unique_ptr<UpdateRule> rule)
      : subspace_(std::move(subspace)), rule_(std::move(rule)) {}

  Subspace* subspace() override { return subspace_.get(); }
  // The rule's state is turned into the new basis where the subspace says so.
  std::string refresh(const GradientOperator& gradient, const RandomStream& random, int64_t steps) override;
  void visit(StateVisitor& visitor) override;

 protected:
  // The low-rank gradient, after a refresh if one is due, in a workspace buffer that the next projection
  // reuses.
  at::Tensor project(const at::Tensor& gradient, const StepContext& context);

  std::unique_ptr<Subspace> subspace_;
  std::unique_ptr<UpdateRule> rule_;
};

}  // namespace galore
