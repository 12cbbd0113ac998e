// A gradient tap stands in front of a parameter's sink: it sees the reports of layers and passes them on.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "core/parameter.h"

namespace galore {

// The constructor puts the tap in front of the parameter's present sink, and the destructor restores that
// sink. Destroy taps in the reverse order of their construction, and before the sink behind them. If the
// parameter has no sink, the tap receives the reports and passes nothing on.
//
// A subclass overrides the functions for the reports that it needs and calls the base class's functions to
// pass them on.
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
