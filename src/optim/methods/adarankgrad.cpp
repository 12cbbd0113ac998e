#include "optim/methods/adarankgrad.h"

#include <cmath>

#include "core/errors.h"
#include "kernels/apply_direction.h"
#include "optim/methods/refresh_criterion.h"
#include "optim/storage/resizable_moment.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

class AdaRankGrad : public Method {
 public:
  AdaRankGrad(const AdaRankGradOptions& options, std::unique_ptr<Subspace> subspace,
              const MethodInputs& inputs)
      : options_(options),
        criterion_({options.inner_criterion, options.min_gap, options.max_gap}),
        adam_(options_of<AdamWOptions>(*inputs.settings.rule)),
        subspace_(std::move(subspace)),
        moment1_(inputs.settings.storage, /*is_signed=*/true, inputs.workspace.ledger()),
        moment2_(inputs.settings.storage, /*is_signed=*/false, inputs.workspace.ledger()) {
    subspace_->choose_rank({options.min_rank, options.energy});
    resize();
  }

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    if (!context.refresh_due) return direction_of_low_rank(subspace_->project(gradient), context);
    const std::string notice = refresh(DenseGradient(gradient), context.random, context.step - 1);
    context.note(notice);
    return direction_of_low_rank(subspace_->project_refreshed(gradient), context);
  }

  Direction direction_of_low_rank(at::Tensor low_rank, const StepContext& context) override {
    if (options_.inner_criterion > 0) {
      criterion_.add(std::sqrt(kernels::sum_squares(low_rank)), context.refresh_due);
      subspace_->decide_next(criterion_.next_is_due());
    }
    at::Tensor m = moment1_->read(), v = moment2_->read();
    kernels::adamw_direction(adam_step(adam_, context.step), low_rank, m, v);
    moment1_->write(m);
    moment2_->write(v);
    return subspace_->lift(low_rank, options_.scale);
  }

  std::string refresh(const GradientOperator& gradient, const RandomStream& random, int64_t) override {
    const at::Tensor average = subspace_->wants_average() ? moment1_->read() : at::Tensor();
    const std::string notice = subspace_->refresh(gradient, random, average);
    const at::Tensor& rotation = subspace_->rotation();
    const bool of_columns = subspace_->side() == Side::right;
    if (rotation.defined()) {
      moment1_.rotate(rotation, of_columns, subspace_->low_rank_shape());
      moment2_.rotate(rotation.square(), of_columns, subspace_->low_rank_shape());
    }
    resize();
    return notice;
  }

  Subspace* subspace() override { return subspace_.get(); }
  bool reads_low_rank() const override { return true; }

  // A loading visitor may bring another rank, so the moments are resized before they are visited.
  void visit(StateVisitor& visitor) override {
    subspace_->visit(visitor);
    resize();
    moment1_->visit("moment1", visitor);
    moment2_->visit("moment2", visitor);
    if (options_.inner_criterion == 0) return;
    criterion_.visit(visitor);
    if (criterion_.has_begun()) subspace_->decide_next(criterion_.next_is_due());
  }

 private:
  void resize() {
    moment1_.resize(subspace_->low_rank_shape());
    moment2_.resize(subspace_->low_rank_shape());
  }

  AdaRankGradOptions options_;
  RefreshCriterion criterion_;
  AdamWOptions adam_;
  std::unique_ptr<Subspace> subspace_;
  ResizableMoment moment1_, moment2_;
};

}  // namespace

void declare_options(OptionTable& table, AdaRankGradOptions& options) {
  table.add("min_rank", &options.min_rank, "least rank of a subspace").range(1, 1e9);
  table.add("max_rank", &options.max_rank, "largest rank of a subspace; 0: rank").range(0, 1e9);
  table.add("energy", &options.energy, "share of the gradient's squared norm that a subspace may leave out")
      .range(0, 1);
  table
      .add("inner_criterion", &options.inner_criterion,
           "refresh when the norm of the low-rank gradient falls to this multiple of its norm at the last "
           "refresh; 0: every update_proj_gap updates")
      .range(0, 1e9);
  table.add("min_gap", &options.min_gap, "smallest number of updates between refreshes by inner_criterion")
      .range(1, 1e15);
  table.add("max_gap", &options.max_gap, "largest number of updates between refreshes by inner_criterion")
      .range(1, 1e15);
  table.add("scale", &options.scale, "alpha: factor on the lifted direction")
      .range(0, 1e9)
      .origin("GaLore, section 5.1");
}

std::unique_ptr<Method> make_adarankgrad(const AdaRankGradOptions& options, const MethodInputs& inputs) {
  SubspaceOptions subspace = inputs.settings.subspace;
  if (!subspace.moment_transport)
    fail_usage("moment_transport", "expected true: moments of one rank mean nothing in a basis of another");
  if (options.max_rank > 0) subspace.rank = options.max_rank;
  return std::make_unique<AdaRankGrad>(
      options, std::make_unique<Subspace>(subspace, inputs.rows(), inputs.columns(), inputs.workspace),
      inputs);
}

std::unique_ptr<MethodKind> adarankgrad_kind(const AdaRankGradOptions& options) {
  return method_kind("adarankgrad", {.has_basis = true}, make_adarankgrad, options);
}

}  // namespace galore
