#include "optim/methods/swan.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/line_norms.h"
#include "kernels/newton_schulz.h"

namespace galore {
namespace {

class Swan : public Method {
 public:
  Swan(const SwanOptions& options, const MethodInputs& inputs)
      : options_(options), workspace_(inputs.workspace) {}

  Direction direction(at::Tensor gradient, const StepContext&) override {
    standardize_rows(gradient);
    const double norm = std::sqrt(kernels::sum_squares(gradient));
    gradient.mul_(1 / (norm + 1e-7));
    const at::Tensor whitened = newton_schulz(gradient, {.steps = options_.ns_steps}, workspace_);
    const double size = std::sqrt(kernels::sum_squares(whitened));
    whitened.mul_(size > 0 ? options_.scale * norm / size : 0);
    return {.dense = whitened, .left = {}, .right = {}};
  }

  void visit(StateVisitor&) override {}

 private:
  static void standardize_rows(at::Tensor& gradient) {
    gradient.sub_(gradient.mean(1, /*keepdim=*/true));
    const at::Tensor squares = at::empty({gradient.size(0)}, gradient.options().dtype(at::kDouble));
    kernels::squared_norms(squares, gradient, kernels::Lines::rows);
    const at::Tensor deviation = (squares / gradient.size(1)).sqrt();
    const at::Tensor factors = ((deviation > 0) / deviation.clamp_min(1e-300)).to(at::kFloat);
    kernels::scale_lines(gradient, factors, kernels::Lines::rows);
  }

  SwanOptions options_;
  Workspace& workspace_;
};

}  // namespace

void declare_options(OptionTable& table, SwanOptions& options) {
  table.add("ns_steps", &options.ns_steps, "Newton-Schulz steps").range(0, 100);
  table.add("scale", &options.scale, "factor on the direction").range(0, 1e9);
}

std::unique_ptr<Method> make_swan(const SwanOptions& options, const MethodInputs& inputs) {
  return std::make_unique<Swan>(options, inputs);
}

std::unique_ptr<MethodKind> swan_kind(const SwanOptions& options) {
  return method_kind("swan", {}, make_swan, options);
}

}  // namespace galore
