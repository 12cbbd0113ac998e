#include "optim/methods/adam_mini.h"

#include "kernels/row_adam.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

class AdamMini : public Method {
 public:
  explicit AdamMini(const MethodInputs& inputs)
      : adam_(options_of<AdamWOptions>(*inputs.settings.rule)),
        moment1_(inputs.moment(inputs.weight.shape, /*is_signed=*/true)),
        moment2_(inputs.workspace.ledger().zeros(Owner::moments, {inputs.rows()}, at::kFloat)) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    at::Tensor m = moment1_->read();
    kernels::row_adam_direction(adam_step(adam_, context.step), gradient, m, moment2_);
    moment1_->write(m);
    return {.dense = gradient, .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    moment1_->visit("moment1", visitor);
    visit_average("row_moment2", moment2_, visitor);
  }

 private:
  AdamWOptions adam_;
  std::unique_ptr<Moment> moment1_;
  at::Tensor moment2_;
};

}  // namespace

std::unique_ptr<Method> make_adam_mini(const AdamMiniOptions&, const MethodInputs& inputs) {
  if (inputs.weight.shape.size() != 2 || inputs.weight.role != Role::matrix)
    return make_plain(inputs.rule(inputs.weight.shape));
  return std::make_unique<AdamMini>(inputs);
}

std::unique_ptr<MethodKind> adam_mini_kind() {
  return method_kind<AdamMiniOptions>("adam_mini", {.takes_every_weight = true}, make_adam_mini);
}

}  // namespace galore
