// A sink in front of a parameter's sink: it sees what layers report and passes it on.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "core/parameter.h"

namespace galore {

// Stands in front of the parameter's present sink for as long as it lives and restores that sink when it is
// destroyed. Taps are destroyed in the reverse order of their making, and before the sink behind them. A
// parameter without a sink has no gradient to tap: the tap is told of the reports and passes nothing on.
//
// A subclass overrides the functions whose reports it wants and calls the base class's to pass them on.
class GradientTap : public GradientSink {
 public:
  explicit GradientTap(Parameter& parameter)
      : parameter_(parameter), next_(std::exchange(parameter.sink, this)) {}
  ~GradientTap() override {
    if (parameter_.sink == this) parameter_.sink = next_;
  }
  GradientTap(const GradientTap&) = delete;
  GradientTap& operator=(const GradientTap&) = delete;

  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override {
    if (next_) next_->add_product(output_gradient, input);
  }
  void add_rows(const at::Tensor& indices, const at::Tensor& gradient) override {
    if (next_) next_->add_rows(indices, gradient);
  }
  void add(const at::Tensor& gradient) override {
    if (next_) next_->add(gradient);
  }
  void use_done() override {
    if (next_) next_->use_done();
  }

 private:
  Parameter& parameter_;
  GradientSink* next_;  // null: none
};

}  // namespace galore
