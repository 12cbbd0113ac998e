#include "optim/methods/gwt.h"

#include <cmath>

#include "kernels/block_adam.h"
#include "optim/limiters/norm_growth.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

class Gwt : public Method {
 public:
  Gwt(const GwtOptions& options, const MethodInputs& inputs)
      : options_(options),
        adam_(options_of<AdamWOptions>(*inputs.settings.rule)),
        block_(int64_t{1} << options.level),
        limiter_(options.limiter) {
    const std::vector<int64_t> coarse{inputs.rows(), kernels::num_blocks(inputs.columns(), block_)};
    moment1_ = inputs.moment(coarse, /*is_signed=*/true);
    moment2_ = inputs.moment(coarse, /*is_signed=*/false);
  }

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    at::Tensor m = moment1_->read(), v = moment2_->read();
    const kernels::BlockAdam step{adam_step(adam_, context.step), block_, static_cast<float>(options_.scale)};
    const double squared_norm = kernels::haar_adam_direction(step, gradient, m, v);
    moment1_->write(m);
    moment2_->write(v);
    const double factor = limiter_.factor(std::sqrt(squared_norm));
    if (factor != 1) gradient.mul_(factor);
    return {.dense = gradient, .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    moment1_->visit("moment1", visitor);
    moment2_->visit("moment2", visitor);
    limiter_.visit(visitor);
  }

 private:
  GwtOptions options_;
  AdamWOptions adam_;
  int64_t block_;
  NormGrowth limiter_;
  std::unique_ptr<Moment> moment1_, moment2_;
};

}  // namespace

void declare_options(OptionTable& table, GwtOptions& options) {
  table.add("level", &options.level, "levels of the Haar transform along the inputs")
      .range(0, 10)
      .origin("the authors' scripts");
  table.add("scale", &options.scale, "alpha: factor on the direction")
      .range(0, 1e9)
      .origin("the authors' scripts");
  table.add("limiter", &options.limiter, "largest growth of the coarse part's norm; 0: no limit")
      .range(0, 1e9)
      .origin("the authors' code");
}

std::unique_ptr<Method> make_gwt(const GwtOptions& options, const MethodInputs& inputs) {
  return std::make_unique<Gwt>(options, inputs);
}

std::unique_ptr<MethodKind> gwt_kind(const GwtOptions& options) {
  return method_kind("gwt", {}, make_gwt, options);
}

}  // namespace galore
