#include "optim/methods/flora.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/matmul.h"
#include "optim/methods/subspace_method.h"
#include "optim/update_rules/adafactor.h"

namespace galore {
namespace {

// Clipping comes after the average.
std::unique_ptr<UpdateRule> without_clipping(const MethodInputs& inputs) {
  AdafactorOptions options = options_of<AdafactorOptions>(*inputs.settings.rule);
  options.clip_threshold = 1e30;
  return make_adafactor(options, inputs.settings.storage, inputs.weight.shape, inputs.workspace);
}

class Flora : public Method {
 public:
  Flora(const FloraOptions& options, const MethodInputs& inputs)
      : beta1_(options.beta1),
        clip_threshold_(options_of<AdafactorOptions>(*inputs.settings.rule).clip_threshold),
        workspace_(inputs.workspace),
        subspace_(inputs.subspace()),
        rule_(without_clipping(inputs)) {
    if (beta1_ > 0) moment_ = inputs.moment(subspace_->low_rank_shape(), /*is_signed=*/true);
  }

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    if (context.refresh_due) {
      const std::string notice = refresh(DenseGradient(gradient), context.random, context.step - 1);
      context.note(notice);
      subspace_->project_refreshed(gradient);  // to be measured: what is averaged is the rule's update
    }
    at::Tensor update = rule_->direction(gradient, context.step);
    if (moment_) average(update);
    const double size = std::sqrt(kernels::sum_squares(update) / static_cast<double>(update.numel()));
    update.div_(std::max(1.0, size / clip_threshold_));
    return {.dense = update, .left = {}, .right = {}};
  }

  std::string refresh(const GradientOperator& gradient, const RandomStream& random, int64_t) override {
    const std::string notice = subspace_->refresh(gradient, random, moment_ ? moment_->read() : at::Tensor());
    if (moment_ && subspace_->rotation().defined())
      moment_->write(turned_state(moment_->read(), subspace_->rotation(), subspace_->side() == Side::right));
    return notice;
  }

  Subspace* subspace() override { return subspace_.get(); }

  void visit(StateVisitor& visitor) override {
    subspace_->visit(visitor);
    rule_->visit(visitor);
    if (moment_) moment_->visit("compressed_moment", visitor);
  }

 private:
  // D in the place of U.
  void average(const at::Tensor& update) {
    const at::Tensor low_rank = subspace_->project(update);
    at::Tensor m = moment_->read();
    at::Tensor before = workspace_.get(Owner::workspace, "optimizer.low_rank_copy", m.sizes(), at::kFloat);
    at::mul_out(before, m, at::scalar_tensor(beta1_, m.options()));
    m.mul_(beta1_).add_(low_rank, 1 - beta1_);
    moment_->write(m);
    update.mul_(1 - beta1_);
    const Direction lifted = subspace_->lift(before, 1);
    matrix_product(update, lifted.left, lifted.right, Write::accumulate);
  }

  double beta1_, clip_threshold_;
  Workspace& workspace_;
  std::unique_ptr<Subspace> subspace_;
  std::unique_ptr<UpdateRule> rule_;
  std::unique_ptr<Moment> moment_;  // null without beta1
};

}  // namespace

void declare_options(OptionTable& table, FloraOptions& options) {
  table.add("beta1", &options.beta1, "decay of the first moment; 0 keeps none")
      .range(0, 1 - 1e-9)
      .origin("paper");
}

std::unique_ptr<Method> make_flora(const FloraOptions& options, const MethodInputs& inputs) {
  return std::make_unique<Flora>(options, inputs);
}

std::unique_ptr<MethodKind> flora_kind(const FloraOptions& options) {
  return method_kind("flora", {.has_basis = true}, make_flora, options);
}

}  // namespace galore
