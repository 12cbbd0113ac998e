#include "optim/update_rules/rms_prop.h"

#include <ATen/ATen.h>

#include "kernels/averages.h"

namespace galore {
namespace {

class RmsProp : public UpdateRule {
 public:
  RmsProp(const RmsPropOptions& options, const StorageOptions& storage, at::IntArrayRef shape,
          Workspace& workspace)
      : options_(options), square_(make_moment(storage, shape, /*is_signed=*/false, workspace.ledger())) {}

  at::Tensor direction(at::Tensor gradient, int64_t /*step*/) override {
    at::Tensor v = square_->read();
    kernels::scale_by_root(v, gradient, {options_.beta, options_.epsilon});
    square_->write(v);
    return gradient;
  }

  at::Tensor variance() override { return square_->read(); }

  void reset() override { square_->clear(); }

  // Squares rotate with the squares of the rotation, as if the old coordinates were independent.
  void transport(const at::Tensor& turn, bool of_columns, int64_t /*steps*/) override {
    square_->write(turned_state(square_->read(), turn.square(), of_columns));
  }

  void visit(StateVisitor& visitor) override { square_->visit("moment2", visitor); }

 private:
  RmsPropOptions options_;
  std::unique_ptr<Moment> square_;
};

}  // namespace

void declare_options(OptionTable& table, RmsPropOptions& options) {
  table.add("rms_beta", &options.beta, "decay of the average of squared gradients").range(0, 1 - 1e-9);
  table.add("rms_epsilon", &options.epsilon, "added to the root of the average squared gradient").range(0, 1);
}

std::unique_ptr<UpdateRule> make_rms_prop(const RmsPropOptions& options, const StorageOptions& storage,
                                          at::IntArrayRef shape, Workspace& workspace) {
  return std::make_unique<RmsProp>(options, storage, shape, workspace);
}

std::unique_ptr<RuleKind> rms_prop_kind(const RmsPropOptions& options) {
  return std::make_unique<RuleKindOf<RmsPropOptions>>("rms_prop", RuleTraits{.keeps_every_square = true},
                                                      make_rms_prop, options);
}

}  // namespace galore
