#include "optim/update_rules/adafactor.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "kernels/apply_direction.h"

namespace galore {
namespace {

double root_mean_square(const at::Tensor& x) {
  return std::sqrt(kernels::sum_squares(x) / static_cast<double>(x.numel()));
}

class Adafactor : public UpdateRule {
 public:
  Adafactor(const AdafactorOptions& options, const StorageOptions& storage, at::IntArrayRef shape,
            Workspace& workspace)
      : options_(options), factored_(shape.size() == 2), workspace_(workspace) {
    Ledger& ledger = workspace.ledger();
    if (factored_) {
      row_ = ledger.zeros(Owner::moments, {shape[0], 1}, at::kFloat);
      column_ = ledger.zeros(Owner::moments, {1, shape[1]}, at::kFloat);
    } else {
      square_ = ledger.zeros(Owner::moments, shape, at::kFloat);
    }
    if (options.beta1 > 0) moment1_ = make_moment(storage, shape, /*is_signed=*/true, workspace.ledger());
  }

  at::Tensor direction(at::Tensor gradient, int64_t step) override {
    const double beta2 = 1 - std::pow(static_cast<double>(step), options_.decay_rate);
    at::Tensor update = scaled(gradient, beta2);
    update.div_(std::max(1.0, root_mean_square(update) / options_.clip_threshold));
    if (!moment1_) return update;
    at::Tensor m = moment1_->read();
    m.mul_(options_.beta1).add_(update, 1 - options_.beta1);
    moment1_->write(m);
    return update.copy_(m);
  }

  at::Tensor variance() override {
    if (!factored_) return square_;
    at::Tensor product =
        workspace_.get(Owner::workspace, "optimizer.squares", {row_.size(0), column_.size(1)}, at::kFloat);
    return at::mul_out(product, row_ / row_.mean().clamp_min(options_.epsilon), column_);
  }

  void reset() override {
    for (at::Tensor* average : {&row_, &column_, &square_})
      if (average->defined()) average->zero_();
    if (moment1_) moment1_->clear();
  }

  // The factors of the second moment stay, because rows and columns have no counterpart under a rotation.
  void transport(const at::Tensor& turn, bool of_columns, int64_t /*steps*/) override {
    if (moment1_) moment1_->write(turned_state(moment1_->read(), turn, of_columns));
  }

  void visit(StateVisitor& visitor) override {
    if (factored_) {
      visit_average("row_mean", row_, visitor);
      visit_average("column_mean", column_, visitor);
    } else {
      visit_average("moment2", square_, visitor);
    }
    if (moment1_) moment1_->visit("moment1", visitor);
  }

 private:
  // Divides the gradient by the root of the estimated second moment, in the gradient's buffer.
  at::Tensor scaled(at::Tensor gradient, double beta2) {
    at::Tensor squares = workspace_.get(Owner::workspace, "optimizer.squares", gradient.sizes(), at::kFloat);
    at::mul_out(squares, gradient, gradient).add_(options_.epsilon);
    if (!factored_) {
      square_.mul_(beta2).add_(squares, 1 - beta2);
      return gradient.mul_(square_.rsqrt());
    }
    row_.mul_(beta2).add_(squares.mean(1, /*keepdim=*/true), 1 - beta2);
    column_.mul_(beta2).add_(squares.mean(0, /*keepdim=*/true), 1 - beta2);
    return gradient.mul_((row_ / row_.mean()).rsqrt_()).mul_(column_.rsqrt());
  }

  AdafactorOptions options_;
  bool factored_;
  Workspace& workspace_;
  at::Tensor row_, column_, square_;
  std::unique_ptr<Moment> moment1_;
};

}  // namespace

void declare_options(OptionTable& table, AdafactorOptions& options) {
  if (options.beta1 >= 0)
    table.add("beta1", &options.beta1, "decay of the first moment; 0 keeps none")
        .range(0, 1 - 1e-9)
        .alias("adam_beta1");
  table.add("decay_rate", &options.decay_rate, "beta2 at update t is 1 - t^decay_rate")
      .range(-1, 0)
      .origin("Adafactor, eq. 9");
  table.add("clip_threshold", &options.clip_threshold, "largest root mean square of a direction")
      .range(1e-9, 1e9)
      .origin("Adafactor, Algorithm 4");
  table.add("adafactor_epsilon", &options.epsilon, "added to squared gradients")
      .range(1e-37, 1)  // with 0, a zero row would be divided by zero
      .origin("Adafactor, Algorithm 4");
}

std::unique_ptr<UpdateRule> make_adafactor(const AdafactorOptions& options, const StorageOptions& storage,
                                           at::IntArrayRef shape, Workspace& workspace) {
  return std::make_unique<Adafactor>(options, storage, shape, workspace);
}

std::unique_ptr<RuleKind> adafactor_kind(const AdafactorOptions& options) {
  return std::make_unique<RuleKindOf<AdafactorOptions>>("adafactor", RuleTraits{}, make_adafactor, options);
}

}  // namespace galore
