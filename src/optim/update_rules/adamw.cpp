#include "optim/update_rules/adamw.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/adamw.h"
#include "kernels/blockwise_8bit.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

class AdamW : public UpdateRule {
 public:
  AdamW(const AdamWOptions& options, const StorageOptions& storage, at::IntArrayRef shape,
        Workspace& workspace)
      : options_(options),
        moment1_(make_moment(storage, shape, /*is_signed=*/true, workspace.ledger())),
        moment2_(make_moment(storage, shape, /*is_signed=*/false, workspace.ledger())) {}

  at::Tensor direction(at::Tensor gradient, int64_t step) override {
    const kernels::AdamStep constants = adam_step(options_, step);
    if (moment1_->codes() && moment2_->codes()) {
      kernels::adamw_8bit_direction(constants, gradient, *moment1_->codes(), *moment2_->codes());
      return gradient;
    }
    at::Tensor m = moment1_->read(), v = moment2_->read();
    kernels::adamw_direction(constants, gradient, m, v);
    moment1_->write(m);
    moment2_->write(v);
    return gradient;
  }

  std::optional<kernels::AdamDirection> deferred_direction(const at::Tensor& gradient,
                                                           int64_t step) override {
    if (moment1_->codes() || moment2_->codes()) return std::nullopt;
    return kernels::AdamDirection{adam_step(options_, step), gradient, moment1_->read(), moment2_->read()};
  }

  at::Tensor average() override { return moment1_->read(); }

  double correction(int64_t step) const override { return adam_correction(options_, step); }
  at::Tensor variance() override { return moment2_->read(); }

  void reset() override {
    moment1_->clear();
    moment2_->clear();
  }

  // Rotates the moments as LDAdam does (Robert et al., arXiv 2410.16103, Algorithm 1): variances rotate with
  // the squares of the rotation, as if the old coordinates were independent. The arithmetic uses the unbiased
  // moments.
  void transport(const at::Tensor& turn, bool of_columns, int64_t steps) override {
    // a memory plan counts only stored tensors, and this stores none
    if (steps == 0 || turn.is_meta()) return;
    const double known1 = 1 - std::pow(options_.beta1, steps), known2 = 1 - std::pow(options_.beta2, steps);
    const at::Tensor m = moment1_->read();
    const at::Tensor variance = moment2_->read() / known2 - (m / known1).square();
    const at::Tensor turned_m = turned_state(m, turn, of_columns);
    const at::Tensor v = turned_state(variance, turn.square(), of_columns) + (turned_m / known1).square();
    moment1_->write(turned_m);
    moment2_->write(v.abs() * known2);
  }

  void visit(StateVisitor& visitor) override {
    moment1_->visit("moment1", visitor);
    moment2_->visit("moment2", visitor);
  }

 private:
  AdamWOptions options_;
  std::unique_ptr<Moment> moment1_, moment2_;
};

}  // namespace

void declare_options(OptionTable& table, AdamWOptions& options) {
  table.add("adam_beta1", &options.beta1, "decay of the first moment").range(0, 1 - 1e-9).alias("beta1");
  table.add("adam_beta2", &options.beta2, "decay of the second moment").range(0, 1 - 1e-12).alias("beta2");
  table.add("adam_epsilon", &options.epsilon, "added to the root of the second moment")
      .range(0, 1)
      .alias("eps");
}

std::unique_ptr<UpdateRule> make_adamw(const AdamWOptions& options, const StorageOptions& storage,
                                       at::IntArrayRef shape, Workspace& workspace) {
  return std::make_unique<AdamW>(options, storage, shape, workspace);
}

std::unique_ptr<RuleKind> adamw_kind(const AdamWOptions& options) {
  return std::make_unique<RuleKindOf<AdamWOptions>>("adamw", RuleTraits{.keeps_every_square = true},
                                                    make_adamw, options);
}

}  // namespace galore
