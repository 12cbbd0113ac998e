#include "optim/update_rules/spam.h"

#include <cmath>
#include <numbers>

#include "kernels/clip.h"

namespace galore {
namespace {

class Spam : public UpdateRule {
 public:
  Spam(const SpamOptions& options, std::unique_ptr<UpdateRule> rule)
      : options_(options), rule_(std::move(rule)) {}

  at::Tensor direction(at::Tensor gradient, int64_t step) override {
    if (options_.resets(step)) rule_->reset();
    if (clips(step)) {
      const at::Tensor variance = rule_->variance();
      if (variance.defined()) kernels::clip_spikes(gradient, variance, options_.threshold);
    }
    at::Tensor direction = rule_->direction(std::move(gradient), step);
    const double sigma = warmup(step);
    return sigma == 1 ? direction : direction.mul_(sigma);
  }

  at::Tensor average() override { return rule_->average(); }
  double correction(int64_t step) const override { return rule_->correction(step); }
  at::Tensor variance() override { return rule_->variance(); }
  void reset() override { rule_->reset(); }
  void transport(const at::Tensor& turn, bool of_columns, int64_t steps) override {
    rule_->transport(turn, of_columns, steps);
  }
  void visit(StateVisitor& visitor) override { rule_->visit(visitor); }

 private:
  int64_t since_reset(int64_t step) const { return options_.interval > 0 ? step % options_.interval : step; }

  bool clips(int64_t step) const { return since_reset(step) >= options_.holdoff; }

  double warmup(int64_t step) const {
    const int64_t k = since_reset(step);
    if (options_.interval == 0 || step < options_.interval || k >= options_.warmup_steps) return 1;
    const double part = static_cast<double>(k) / static_cast<double>(options_.warmup_steps + 1);
    return 1 - 0.99 * (1 + std::cos(std::numbers::pi * part)) / 2;
  }

  SpamOptions options_;
  std::unique_ptr<UpdateRule> rule_;
};

}  // namespace

void declare_options(OptionTable& table, SpamOptions& options) {
  table
      .add("threshold", &options.threshold,
           "squared gradients above this multiple of the second moment are clipped")
      .range(1e-9, 1e30)
      .origin("SPAM, section 4.1");
  table.add("interval", &options.interval, "updates between resets of the moments; 0 never resets")
      .range(0, 1e15)
      .origin("SPAM, section 4.1");
  table.add("warmup_steps", &options.warmup_steps, "updates of warm-up after a reset")
      .range(0, 1e15)
      .origin("SPAM, section 4.1");
  table.add("holdoff", &options.holdoff, "updates after a reset without clipping")
      .range(0, 1e15)
      .origin("the authors' code");
}

std::unique_ptr<UpdateRule> make_spam(const SpamOptions& options, std::unique_ptr<UpdateRule> rule) {
  return std::make_unique<Spam>(options, std::move(rule));
}

}  // namespace galore
