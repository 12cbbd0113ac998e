// Sinks that form every full gradient, for tests, measurements and tools. Training does not use them.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/parameter.h"
#include "kernels/embedding.h"
#include "kernels/matmul.h"

namespace galore {

class FullGradientSink : public GradientSink {
 public:
  FullGradientSink(Ledger& ledger, at::IntArrayRef shape, at::ScalarType dtype)
      : gradient_(ledger.zeros(Owner::gradients, shape, dtype)) {}

  // Lets the next report start from zero.
  void clear() { empty_ = true; }
  const at::Tensor& gradient() const { return gradient_; }
  int uses_done() const { return uses_done_; }

  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override {
    const Write write = empty_ ? Write::replace : Write::accumulate;
    empty_ = false;
    product_dyt_x(gradient_, output_gradient, input, write);
  }
  void add_rows(const at::Tensor& indices, const at::Tensor& gradient) override {
    if (empty_) gradient_.zero_();
    empty_ = false;
    galore::add_rows(gradient_, indices, gradient);
  }
  void add(const at::Tensor& gradient) override {
    if (empty_) gradient_.zero_();
    empty_ = false;
    if (!gradient_.is_meta()) gradient_.add_(gradient);
  }
  void use_done() override {
    if (empty_) gradient_.zero_();  // nothing was reported
    empty_ = false;
    ++uses_done_;
  }

 private:
  at::Tensor gradient_;
  bool empty_ = true;
  int uses_done_ = 0;
};

// Attaches a sink to every parameter during its lifetime.
class GradientCollector {
 public:
  GradientCollector(const ParameterList& parameters, Ledger& ledger, at::ScalarType dtype) {
    bindings_.reserve(parameters.size());
    for (Parameter* parameter : parameters) {
      auto& sink = sinks_[parameter->name];
      sink = std::make_unique<FullGradientSink>(ledger, parameter->sizes(), dtype);
      bindings_.emplace_back(*parameter, *sink);
    }
  }

  void clear() {
    for (auto& [name, sink] : sinks_) sink->clear();
  }
  const FullGradientSink& operator[](const std::string& name) const { return *sinks_.at(name); }

 private:
  std::map<std::string, std::unique_ptr<FullGradientSink>> sinks_;
  std::vector<SinkBinding> bindings_;
};

}  // namespace galore
