#include "kernels/adamw.h"

#include <cmath>

#include "kernels/blockwise_8bit.h"
#include "optim/update_rules/update_rule.h"

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
    const kernels::AdamStep constants = constants_of(step);
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

  void visit(StateVisitor& visitor) override {
    moment1_->visit("moment1", visitor);
    moment2_->visit("moment2", visitor);
  }

 private:
  kernels::AdamStep constants_of(int64_t step) const {
    const double t = static_cast<double>(step);
    const double corrected2 = std::sqrt(1 - std::pow(options_.beta2, t));
    const double epsilon = options_.epsilon * (options_.epsilon_before_correction ? 1 : corrected2);
    return {options_.beta1, options_.beta2, static_cast<float>(epsilon),
            static_cast<float>(corrected2 / (1 - std::pow(options_.beta1, t)))};
  }

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

}  // namespace galore
