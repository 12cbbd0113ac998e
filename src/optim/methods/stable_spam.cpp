#include "optim/methods/stable_spam.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/adamw.h"
#include "kernels/clip.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

class StableSpam : public Method {
 public:
  StableSpam(const StableSpamOptions& options, const MethodInputs& inputs)
      : options_(options),
        adam_(options_of<AdamWOptions>(*inputs.settings.rule)),
        moment1_(inputs.moment(inputs.weight.shape, /*is_signed=*/true)),
        moment2_(inputs.moment(inputs.weight.shape, /*is_signed=*/false)) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    const int64_t t = context.step;
    const bool shared = options_.counters == "shared";
    const bool resets = options_.interval > 0 && t % options_.interval == 0;
    const double scheduled = schedule(t);
    clip_and_normalize(gradient, scheduled, shared ? since_reset(t - 1) + 1 : t);
    if (resets && !shared) forget();
    at::Tensor m = moment1_->read(), v = moment2_->read();
    kernels::adamw_direction(constants(adam_.beta1 * scheduled, since_reset(t)), gradient, m, v);
    moment1_->write(m);
    moment2_->write(v);
    if (resets && shared) forget();
    return {.dense = gradient, .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    moment1_->visit("moment1", visitor);
    moment2_->visit("moment2", visitor);
    visitor.scalar("largest", largest_);
    visitor.scalar("norm", norm_);
    visitor.scalar("squared_norm", squared_norm_);
  }

 private:
  double schedule(int64_t t) const {
    if (options_.total_steps == 0) return 1;
    const auto end = static_cast<double>(options_.total_steps + 1);
    return 0.5 + 0.25 * (1 + std::cos(std::numbers::pi * std::min(static_cast<double>(t), end) / end));
  }

  // Returns the number of updates that the moments have seen after update t; it is 1 at a reset.
  int64_t since_reset(int64_t t) const {
    return options_.interval == 0 || t < options_.interval ? t : t % options_.interval + 1;
  }

  // `n` is the number of updates in the averages, including this one.
  void clip_and_normalize(at::Tensor& gradient, double scheduled, int64_t n) {
    const double count = static_cast<double>(n), gamma1 = options_.gamma1 * scheduled;
    const double largest = kernels::largest_magnitude(gradient);
    largest_ = options_.gamma3 * largest_ + (1 - options_.gamma3) * largest;
    const double bound = largest_ / (1 - std::pow(options_.gamma3, count));
    const kernels::RatioClip clip{bound, largest > 0 ? bound / largest : 1};
    const double squared_norm = kernels::clipped_sum_squares(gradient, clip), norm = std::sqrt(squared_norm);
    norm_ = gamma1 * norm_ + (1 - gamma1) * norm;
    squared_norm_ = options_.gamma2 * squared_norm_ + (1 - options_.gamma2) * squared_norm;
    const double mean = norm_ / (1 - std::pow(gamma1, count));
    const double square = squared_norm_ / (1 - std::pow(options_.gamma2, count));
    const double wanted = mean / (std::sqrt(square) + adam_.epsilon);
    kernels::clip_and_scale(gradient, clip, norm > 0 ? wanted / norm : 1);
  }

  kernels::AdamStep constants(double beta1, int64_t n) const {
    const double count = static_cast<double>(n), known2 = std::sqrt(1 - std::pow(adam_.beta2, count));
    return {beta1, adam_.beta2, static_cast<float>(adam_.epsilon * known2),
            static_cast<float>(known2 / (1 - std::pow(beta1, count)))};
  }

  void forget() {
    moment1_->clear();
    moment2_->clear();
  }

  StableSpamOptions options_;
  AdamWOptions adam_;
  std::unique_ptr<Moment> moment1_, moment2_;
  double largest_ = 0, norm_ = 0, squared_norm_ = 0;
};

}  // namespace

void declare_options(OptionTable& table, StableSpamOptions& options) {
  const double largest = 1 - 1e-9;
  table.add("gamma1", &options.gamma1, "decay of the average norm that gradients are scaled to")
      .range(0, largest)
      .origin("the authors' scripts for bf16");
  table.add("gamma2", &options.gamma2, "decay of the average squared norm")
      .range(0, largest)
      .origin("the authors' scripts for bf16");
  table.add("gamma3", &options.gamma3, "decay of the average largest element; larger elements are clipped")
      .range(0, largest);
  table.add("interval", &options.interval, "updates between resets of the moments; 0 never resets")
      .range(0, 1e15);
  table.add("total_steps", &options.total_steps, "updates over which gamma1 and beta1 fall by half; 0: never")
      .range(0, 1e15);
  table.add("counters", &options.counters, "whether a reset also restarts the bias corrections of the norms")
      .choices({"shared", "separate"})
      .origin("the authors' code");
}

std::unique_ptr<Method> make_stable_spam(const StableSpamOptions& options, const MethodInputs& inputs) {
  return std::make_unique<StableSpam>(options, inputs);
}

std::unique_ptr<MethodKind> stable_spam_kind(const StableSpamOptions& options) {
  return method_kind("stable_spam", {.takes_every_weight = true}, make_stable_spam, options);
}

}  // namespace galore
