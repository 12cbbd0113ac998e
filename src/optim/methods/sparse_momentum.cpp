#include "optim/methods/sparse_momentum.h"

#include "kernels/element_mask.h"

namespace galore {
namespace {

class SparseMomentum : public Method {
 public:
  SparseMomentum(int64_t chosen, const MethodInputs& inputs)
      : chosen_(chosen),
        elements_(inputs.rows() * inputs.columns()),
        spam_(inputs.settings.spam.value_or(SpamOptions{.interval = 0})),
        workspace_(inputs.workspace),
        rule_(inputs.rule({chosen})),
        mask_(workspace_.ledger().zeros(Owner::moments, {kernels::mask_words(elements_)}, at::kInt)) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    if (context.step == 1 || spam_.resets(context.step))
      kernels::mark_smallest(mask_, elements_, chosen_, context.random);
    at::Tensor packed = workspace_.get(Owner::workspace, "optimizer.packed", {chosen_}, at::kFloat);
    kernels::gather_marked(packed, gradient, mask_);
    kernels::scatter_marked(gradient, rule_->direction(packed, context.step), mask_);
    return {.dense = gradient, .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    visitor.tensor("mask", mask_);
    rule_->visit(visitor);
  }

 private:
  int64_t chosen_, elements_;
  SpamOptions spam_;
  Workspace& workspace_;
  std::unique_ptr<UpdateRule> rule_;
  at::Tensor mask_;
};

}  // namespace

void declare_options(OptionTable& table, SparseMomentumOptions& options) {
  table
      .add("density", &options.density,
           "share of each targeted weight's elements that have moments and are updated")
      .range(1e-6, 1);
}

std::unique_ptr<Method> make_sparse_momentum(const SparseMomentumOptions& options,
                                             const MethodInputs& inputs) {
  if (options.density == 1 || !inputs.weight.targeted) return make_plain(inputs.rule(inputs.weight.shape));
  const double elements = static_cast<double>(inputs.rows() * inputs.columns());
  return std::make_unique<SparseMomentum>(static_cast<int64_t>(options.density * elements), inputs);
}

std::unique_ptr<MethodKind> sparse_momentum_kind(const SparseMomentumOptions& options) {
  return method_kind("sparse_momentum", {}, make_sparse_momentum, options);
}

}  // namespace galore
