#include "optim/methods/foam.h"

#include "kernels/block_adam.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

class Foam : public Method {
 public:
  Foam(const FoamOptions& options, const MethodInputs& inputs)
      : options_(options),
        adam_(options_of<AdamWOptions>(*inputs.settings.rule)),
        block_(int64_t{1} << options.level) {
    const std::vector<int64_t> folded{inputs.rows(), kernels::num_blocks(inputs.columns(), block_)};
    moment1_ = inputs.moment(folded, /*is_signed=*/true);
    moment2_ = inputs.moment(folded, /*is_signed=*/false);
  }

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    at::Tensor m = moment1_->read(), v = moment2_->read();
    const kernels::BlockAdam step{adam_step(adam_, context.step), block_, static_cast<float>(options_.scale),
                                  static_cast<float>(options_.residual_scale)};
    kernels::folded_adam_direction(step, gradient, m, v);
    moment1_->write(m);
    moment2_->write(v);
    return {.dense = gradient, .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    moment1_->visit("moment1", visitor);
    moment2_->visit("moment2", visitor);
  }

 private:
  FoamOptions options_;
  AdamWOptions adam_;
  int64_t block_;
  std::unique_ptr<Moment> moment1_, moment2_;
};

}  // namespace

void declare_options(OptionTable& table, FoamOptions& options) {
  table.add("level", &options.level, "2^level neighbours along the inputs share their moments")
      .range(0, 10)
      .origin("the authors' scripts");
  table.add("scale", &options.scale, "alpha: factor on the direction")
      .range(0, 1e9)
      .origin("the authors' scripts");
  table
      .add("residual_scale", &options.residual_scale,
           "rho: factor on the difference between the gradient and its block means")
      .range(0, 1e9)
      .origin("the authors' code");
}

std::unique_ptr<Method> make_foam(const FoamOptions& options, const MethodInputs& inputs) {
  return std::make_unique<Foam>(options, inputs);
}

std::unique_ptr<MethodKind> foam_kind(const FoamOptions& options) {
  return method_kind("foam", {}, make_foam, options);
}

}  // namespace galore
