#include "optim/methods/lora_pre.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "optim/storage/factored_average.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

class LoraPre : public Method {
 public:
  LoraPre(int64_t rank, const MethodInputs& inputs)
      : adam_(options_of<AdamWOptions>(*inputs.settings.rule)),
        workspace_(inputs.workspace),
        first_(inputs.rows(), inputs.columns(), rank, 1 - std::sqrt(adam_.beta1), inputs.workspace),
        second_(inputs.rows(), inputs.columns(), rank, 1 - std::pow(adam_.beta2, 0.25), inputs.workspace) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    const at::Tensor m = buffer("lora_pre.first", gradient);
    at::Tensor square = buffer("lora_pre.second", gradient).copy_(gradient);
    if (!gradient.is_meta()) square.abs_();
    const bool follows = started_ != 0 || gradient.is_meta();
    if (started_ == 0) start(gradient, square, context);
    if (follows) {
      first_.follow(gradient);
      second_.follow(square);
      first_.write_to(m);
      second_.write_to(square);
    } else {
      m.zero_();
      square.zero_();
    }
    return {.dense = combined(gradient, m, square, context.step), .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    visitor.scalar("started", started_);
    first_.visit({visitor, "moment1_"});
    second_.visit({visitor, "moment2_"});
  }

 private:
  at::Tensor buffer(const char* name, const at::Tensor& like) {
    return workspace_.get(Owner::workspace, name, like.sizes(), at::kFloat);
  }

  void start(const at::Tensor& gradient, const at::Tensor& size, const StepContext& context) {
    const bool done = first_.start(gradient, 1 - adam_.beta1, context.random) &&
                      second_.start(size, std::sqrt(1 - adam_.beta2), context.random);
    started_ = done ? 1 : 0;
    if (!done) context.note("the gradient is zero or its decomposition failed: the moments begin later");
  }

  // Combines `m` and `square`, which hold B A and C D. The direction replaces m.
  at::Tensor combined(const at::Tensor& gradient, at::Tensor m, at::Tensor square, int64_t step) const {
    const auto t = static_cast<double>(step);
    m.mul_(adam_.beta1).add_(gradient, 1 - adam_.beta1);
    square.square_().mul_(adam_.beta2).addcmul_(gradient, gradient, 1 - adam_.beta2);
    square.sqrt_().div_(std::sqrt(1 - std::pow(adam_.beta2, t))).add_(adam_.epsilon);
    return m.div_(1 - std::pow(adam_.beta1, t)).div_(square);
  }

  AdamWOptions adam_;
  Workspace& workspace_;
  FactoredAverage first_, second_;
  int64_t started_ = 0;
};

}  // namespace

void declare_options(OptionTable& table, LoraPreOptions& options) {
  table.add("rank", &options.rank, "rank of the two moments").range(1, 1e9);
}

std::unique_ptr<Method> make_lora_pre(const LoraPreOptions& options, const MethodInputs& inputs) {
  return std::make_unique<LoraPre>(std::min({options.rank, inputs.rows(), inputs.columns()}), inputs);
}

std::unique_ptr<MethodKind> lora_pre_kind(const LoraPreOptions& options) {
  return method_kind("lora_pre", {}, make_lora_pre, options);
}

}  // namespace galore
