#include "optim/methods/scale.h"

#include <ATen/ATen.h>

#include "kernels/averages.h"
#include "kernels/line_norms.h"

namespace galore {
namespace {

using kernels::Lines;

class Scale : public Method {
 public:
  Scale(double momentum, Lines lines, const MethodInputs& inputs) : momentum_(momentum), lines_(lines) {
    if (momentum > 0) average_ = inputs.moment(inputs.weight.shape, /*is_signed=*/true);
  }

  Direction direction(at::Tensor gradient, const StepContext&) override {
    if (average_) {
      const at::Tensor average = average_->read();
      kernels::average_gradient(average, gradient, {.kept = momentum_, .entering = 1 - momentum_});
      average_->write(average);
    }
    const int64_t count = gradient.size(lines_ == Lines::rows ? 0 : 1);
    const at::Tensor squares = at::empty({count}, gradient.options().dtype(at::kDouble));
    kernels::squared_norms(squares, gradient, lines_);
    const at::Tensor size = (squares * count / gradient.numel()).sqrt().clamp_min(1e-8);
    kernels::scale_lines(gradient, size.reciprocal().to(at::kFloat), lines_);
    return {.dense = gradient, .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    if (average_) average_->visit("momentum", visitor);
  }

 private:
  double momentum_;
  Lines lines_;
  std::unique_ptr<Moment> average_;
};

}  // namespace

void declare_options(OptionTable& table, ScaleOptions& options) {
  table.add("head_momentum", &options.head_momentum, "decay of the head's averaged gradient; 0 keeps none")
      .range(0, 1 - 1e-9)
      .origin("the authors' code");
}

std::unique_ptr<Method> make_scale(const ScaleOptions& options, const MethodInputs& inputs) {
  if (inputs.weight.shape.size() != 2) return make_plain(inputs.rule(inputs.weight.shape));
  const bool embedding = inputs.weight.role == Role::embedding;
  const double momentum = inputs.weight.role == Role::head ? options.head_momentum : 0;
  return std::make_unique<Scale>(momentum, embedding ? Lines::columns : Lines::rows, inputs);
}

std::unique_ptr<MethodKind> scale_kind(const ScaleOptions& options) {
  return method_kind("scale", {.takes_every_weight = true}, make_scale, options);
}

}  // namespace galore
