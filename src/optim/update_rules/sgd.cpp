#include "optim/update_rules/sgd.h"

#include <ATen/ATen.h>

#include "kernels/averages.h"

namespace galore {
namespace {

class Sgd : public UpdateRule {
 public:
  Sgd(const SgdOptions& options, const StorageOptions& storage, at::IntArrayRef shape, Workspace& workspace)
      : options_(options) {
    if (options.momentum > 0) moment1_ = make_moment(storage, shape, /*is_signed=*/true, workspace.ledger());
  }

  at::Tensor direction(at::Tensor gradient, int64_t step) override {
    if (!moment1_) return gradient;
    at::Tensor m = moment1_->read();
    // PyTorch's first step takes the gradient without dampening.
    kernels::average_gradient(m, gradient,
                              {options_.momentum, step == 1 ? 1 : 1 - options_.dampening, options_.nesterov});
    moment1_->write(m);
    return gradient;
  }

  at::Tensor average() override { return moment1_ ? moment1_->read() : at::Tensor(); }

  void reset() override {
    if (moment1_) moment1_->clear();
  }

  void transport(const at::Tensor& turn, bool of_columns, int64_t /*steps*/) override {
    if (moment1_) moment1_->write(turned_state(moment1_->read(), turn, of_columns));
  }

  void visit(StateVisitor& visitor) override {
    if (moment1_) moment1_->visit("moment1", visitor);
  }

 private:
  SgdOptions options_;
  std::unique_ptr<Moment> moment1_;
};

}  // namespace

void declare_options(OptionTable& table, SgdOptions& options) {
  table.add("momentum", &options.momentum, "decay of the averaged gradient; 0 keeps none").range(0, 1 - 1e-9);
  table.add("dampening", &options.dampening, "the gradient enters the average times 1 - dampening")
      .range(0, 1);
  table.add("nesterov", &options.nesterov, "look one momentum step ahead");
}

std::unique_ptr<UpdateRule> make_sgd(const SgdOptions& options, const StorageOptions& storage,
                                     at::IntArrayRef shape, Workspace& workspace) {
  return std::make_unique<Sgd>(options, storage, shape, workspace);
}

std::unique_ptr<RuleKind> sgd_kind(const SgdOptions& options) {
  return std::make_unique<RuleKindOf<SgdOptions>>("sgd", RuleTraits{}, make_sgd, options);
}

}  // namespace galore
