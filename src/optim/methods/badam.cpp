#include "optim/methods/badam.h"

#include <algorithm>

#include "optim/parameter_groups.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

class Badam : public Method {
 public:
  Badam(const BadamOptions& options, const MethodInputs& inputs)
      : options_(options),
        adam_(options_of<AdamWOptions>(*inputs.settings.rule)),
        layer_(inputs.weight.layer),
        num_layers_(std::max<int64_t>(1, inputs.weight.num_layers)) {
    const std::string name = "badam." + name_in_any_layer(inputs.weight.name, layer_);
    const auto shared = [&](const char* moment) {
      return inputs.workspace.get(Owner::moments, name + moment, inputs.weight.shape, at::kFloat).zero_();
    };
    moment1_ = shared(".moment1");
    moment2_ = shared(".moment2");
  }

  Activity activity(int64_t updates) override {
    const int64_t turn = updates / options_.switch_every;
    if (turn != turn_) begin(turn);
    return active() ? Activity::active : Activity::resting;
  }

  Direction direction(at::Tensor gradient, const StepContext&) override {
    kernels::adamw_direction(adam_step(adam_, ++steps_), gradient, moment1_, moment2_);
    return {.dense = gradient, .left = {}, .right = {}};
  }

  // A loading visitor sets the turn before the moments.
  void visit(StateVisitor& visitor) override {
    visitor.scalar("turn", turn_);
    visitor.scalar("steps", steps_);
    if (!active()) return;
    visit_average("moment1", moment1_, visitor);
    visit_average("moment2", moment2_, visitor);
  }

 private:
  bool active() const { return turn_ % num_layers_ == layer_; }

  void begin(int64_t turn) {
    turn_ = turn;
    steps_ = 0;
    if (!active()) return;  // the moments belong to another layer
    moment1_.zero_();
    moment2_.zero_();
  }

  BadamOptions options_;
  AdamWOptions adam_;
  int64_t layer_, num_layers_;
  int64_t turn_ = 0, steps_ = 0;  // steps_ counts the updates of this turn
  at::Tensor moment1_, moment2_;  // shared with the weight of the same name in other layers
};

}  // namespace

void declare_options(OptionTable& table, BadamOptions& options) {
  table.add("switch_every", &options.switch_every, "updates of one layer before the next layer is trained")
      .range(1, 1e15)
      .origin("BAdam, section 3.1");
}

std::unique_ptr<Method> make_badam(const BadamOptions& options, const MethodInputs& inputs) {
  if (inputs.weight.layer < 0) return make_plain(inputs.rule(inputs.weight.shape));
  return std::make_unique<Badam>(options, inputs);
}

std::unique_ptr<MethodKind> badam_kind(const BadamOptions& options) {
  return method_kind("badam", {.takes_every_weight = true, .takes_turns = true}, make_badam, options);
}

}  // namespace galore
