#include "optim/methods/galore.h"

namespace galore {
namespace {

// Between the singular vectors of both sides a gradient is diagonal; what a product leaves beside the
// diagonal is rounding, which a rule that divides by its size would lift to the size of the rest.
void clear_noise(at::Tensor low_rank, const at::Tensor& gradient) {
  const at::Tensor size = low_rank.abs();
  low_rank.masked_fill_(size < size.max() * rounding_noise(gradient), 0);
}

class GaLore : public Method {
 public:
  GaLore(const GaLoreOptions& options, std::unique_ptr<Subspace> subspace, std::unique_ptr<UpdateRule> rule)
      : options_(options), subspace_(std::move(subspace)), rule_(std::move(rule)) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    if (context.refresh_due) {
      const std::string notice = subspace_->refresh(gradient, context.random);
      if (!notice.empty() && context.notices) context.notices->push_back(notice);
    }
    const at::Tensor low_rank = subspace_->project(gradient);
    if (context.refresh_due && subspace_->side() == Side::both) clear_noise(low_rank, gradient);
    return direction_of_low_rank(low_rank, context);
  }

  Direction direction_of_low_rank(at::Tensor low_rank, const StepContext& context) override {
    const at::Tensor adapted = rule_->direction(std::move(low_rank), context.step);
    return subspace_->lift(adapted, options_.scale);
  }

  Subspace* subspace() override { return subspace_.get(); }

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

std::unique_ptr<Method> make_galore(const GaLoreOptions& options, std::unique_ptr<Subspace> subspace,
                                    std::unique_ptr<UpdateRule> rule) {
  return std::make_unique<GaLore>(options, std::move(subspace), std::move(rule));
}

}  // namespace galore
