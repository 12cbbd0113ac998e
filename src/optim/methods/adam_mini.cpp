#include "optim/methods/adam_mini.h"

#include "kernels/row_adam.h"
#include "optim/parameter_groups.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

class AdamMini : public Method {
 public:
  explicit AdamMini(const Parts& parts)
      : adam_(parts.settings.adamw),
        moment1_(parts.moment(parts.shape, /*is_signed=*/true)),
        moment2_(parts.workspace.ledger().zeros(Owner::moments, {parts.rows()}, at::kFloat)) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    at::Tensor m = moment1_->read();
    kernels::row_adam_direction(adam_step(adam_, context.step), gradient, m, moment2_);
    moment1_->write(m);
    return {.dense = gradient, .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    moment1_->visit("moment1", visitor);
    visitor.tensor("row_moment2", moment2_);
  }

 private:
  AdamWOptions adam_;
  std::unique_ptr<Moment> moment1_;
  at::Tensor moment2_;
};

}  // namespace

std::unique_ptr<Method> make_adam_mini(const AdamMiniOptions&, const Parts& parts) {
  if (parts.shape.size() != 2 || is_embedding(parts.name) || is_head(parts.name))
    return make_plain(parts.rule(parts.shape));
  return std::make_unique<AdamMini>(parts);
}

std::shared_ptr<MethodKind> adam_mini_kind() {
  return method_kind<AdamMiniOptions>("adam_mini", {.takes_every_weight = true}, make_adam_mini);
}

}  // namespace galore
