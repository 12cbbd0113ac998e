#include "optim/methods/galore.h"

namespace galore {
namespace {

class GaLore : public Method {
 public:
  GaLore(const GaLoreOptions& options, std::unique_ptr<Subspace> subspace, std::unique_ptr<UpdateRule> rule)
      : options_(options), subspace_(std::move(subspace)), rule_(std::move(rule)) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    if (context.refresh_due) {
      const std::string notice = refresh(DenseGradient(gradient), context.random, context.step - 1);
      if (!notice.empty() && context.notices) context.notices->push_back(notice);
    }
    return direction_of_low_rank(
        context.refresh_due ? subspace_->project_refreshed(gradient) : subspace_->project(gradient), context);
  }

  Direction direction_of_low_rank(at::Tensor low_rank, const StepContext& context) override {
    const at::Tensor adapted = rule_->direction(std::move(low_rank), context.step);
    return subspace_->lift(adapted, options_.scale);
  }

  std::string refresh(const GradientOperator& gradient, const RandomStream& random, int64_t steps) override {
    const at::Tensor average = subspace_->wants_average() ? rule_->average() : at::Tensor();
    const std::string notice = subspace_->refresh(gradient, random, average);
    if (subspace_->turn().defined())
      rule_->transport(subspace_->turn(), subspace_->side() == Side::right, steps);
    return notice;
  }

  Subspace* subspace() override { return subspace_.get(); }
  bool reads_low_rank() const override { return true; }

  void visit(StateVisitor& visitor) override {
    subspace_->visit(visitor);
    rule_->visit(visitor);
  }

 private:
  GaLoreOptions options_;
  std::unique_ptr<Subspace> subspace_;
  std::unique_ptr<UpdateRule> rule_;
};

}  // namespace

void declare_options(OptionTable& table, GaLoreOptions& options) {
  table.add("scale", &options.scale, "alpha: factor on the lifted direction")
      .range(0, 1e9)
      .origin("paper, section 5.1")
      .alias("galore_scale");
}

std::unique_ptr<Method> make_galore(const GaLoreOptions& options, const Parts& parts) {
  auto subspace = parts.subspace();
  auto rule = parts.rule(subspace->low_rank_shape());
  return std::make_unique<GaLore>(options, std::move(subspace), std::move(rule));
}

std::shared_ptr<MethodKind> galore_kind(const GaLoreOptions& options) {
  return method_kind("galore", {.has_basis = true}, make_galore, options);
}

}  // namespace galore
