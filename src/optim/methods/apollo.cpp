#include "optim/methods/apollo.h"

#include <cmath>

#include "optim/limiters/norm_growth.h"
#include "optim/methods/line_scaling.h"
#include "optim/methods/subspace_method.h"

namespace galore {
namespace {

class Apollo : public SubspaceMethod {
 public:
  Apollo(const ApolloOptions& options, std::unique_ptr<Subspace> subspace, std::unique_ptr<UpdateRule> rule,
         Workspace& workspace)
      : SubspaceMethod(std::move(subspace), std::move(rule)),
        options_(options),
        lines_(subspace_->side(), options.scale_type == "tensor", workspace),
        limiter_(options.disable_nl ? 0 : options.limiter) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    const at::Tensor low_rank = project(gradient, context);
    const at::Tensor low_rank_squares = lines_.squares("low_rank", low_rank);
    const at::Tensor adapted = rule_->direction(low_rank, context.step);
    const at::Tensor factors =
        LineScaling::factors(lines_.squares("adapted", adapted), low_rank_squares);  // c s
    const double norm = LineScaling::scaled_norm(lines_.squares("gradient", gradient), factors);
    const double alpha = std::sqrt(options_.scale);
    const double correction = options_.limit_corrected ? 1 : rule_->correction(context.step);
    const double seen = norm / correction * (options_.scale_front ? alpha : 1);
    lines_.scale(gradient, factors, alpha * limiter_.factor(seen));
    return {.dense = gradient, .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    SubspaceMethod::visit(visitor);
    limiter_.visit(visitor);
  }

 private:
  ApolloOptions options_;
  LineScaling lines_;
  NormGrowth limiter_;
};

}  // namespace

void declare_options(OptionTable& table, ApolloOptions& options) {
  table.add("scale", &options.scale, "square of the factor on the scaled gradient")
      .range(0, 1e9)
      .origin("the authors' scripts")
      .alias("apollo_scale");
  table.add("scale_type", &options.scale_type, "one factor for each channel, or one for the tensor")
      .choices({"channel", "tensor"});
  table.add("scale_front", &options.scale_front, "multiply by the root of `scale` before the limiter");
  table.add("disable_nl", &options.disable_nl, "switch the limiter off");
  table.add("limit_corrected", &options.limit_corrected, "apply Adam's bias correction before the limiter");
  table
      .add("limiter", &options.limiter,
           "gamma: largest growth of the scaled gradient's norm; 0 limits nothing")
      .range(0, 1e9)
      .origin("paper, section 5.1");
}

std::unique_ptr<Method> make_apollo(const ApolloOptions& options, const MethodInputs& inputs) {
  auto subspace = inputs.subspace();
  auto rule = inputs.rule(subspace->low_rank_shape());
  return std::make_unique<Apollo>(options, std::move(subspace), std::move(rule), inputs.workspace);
}

std::unique_ptr<MethodKind> apollo_kind(const ApolloOptions& options) {
  return method_kind("apollo", {.has_basis = true}, make_apollo, options);
}

}  // namespace galore
