#include "optim/methods/galore.h"

#include "optim/methods/subspace_method.h"

namespace galore {
namespace {

class GaLore : public SubspaceMethod {
 public:
  GaLore(const GaLoreOptions& options, std::unique_ptr<Subspace> subspace, std::unique_ptr<UpdateRule> rule)
      : SubspaceMethod(std::move(subspace), std::move(rule)), options_(options) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    return direction_of_low_rank(project(gradient, context), context);
  }

  Direction direction_of_low_rank(at::Tensor low_rank, const StepContext& context) override {
    const at::Tensor adapted = rule_->direction(std::move(low_rank), context.step);
    return subspace_->lift(adapted, options_.scale);
  }

  bool reads_low_rank() const override { return true; }

 private:
  GaLoreOptions options_;
};

}  // namespace

void declare_options(OptionTable& table, GaLoreOptions& options) {
  table.add("scale", &options.scale, "alpha: factor on the lifted direction")
      .range(0, 1e9)
      .origin("paper, section 5.1")
      .alias("galore_scale");
}

std::unique_ptr<Method> make_galore(const GaLoreOptions& options, const MethodInputs& inputs) {
  auto subspace = inputs.subspace();
  auto rule = inputs.rule(subspace->low_rank_shape());
  return std::make_unique<GaLore>(options, std::move(subspace), std::move(rule));
}

std::unique_ptr<MethodKind> galore_kind(const GaLoreOptions& options) {
  return method_kind("galore", {.has_basis = true, .lifts_alone = true}, make_galore, options);
}

}  // namespace galore
