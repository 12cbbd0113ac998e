// One layer of an adapter, for tests.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "adapters/adapter_kind.h"
#include "kernels/test_tensors.h"

namespace galore::testing_layer {

using testing_tensors::random;

inline constexpr int64_t kInputs = 7, kOutputs = 9, kTokens = 5;

// Keeps the sum of the gradients that a layer reports.
struct Report : GradientSink {
  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override {
    add(output_gradient.t().mm(input));
  }
  void add_rows(const at::Tensor&, const at::Tensor&) override { FAIL(); }
  void add(const at::Tensor& given) override {
    gradient = gradient.defined() ? gradient + given : given.clone();
  }
  void use_done() override { ++uses; }
  at::Tensor gradient;
  int uses = 0;
};

// One layer of an adapter, with parameters that are not special in any way.
struct OneLayer {
  explicit OneLayer(const std::string& name, const std::string& args = "r=3", bool inputs_first = false) {
    const auto adapter = adapter_kind(name).make(parse_adapter_args(args));
    layer = adapter->linear({"model.layers.0.mlp.up_proj", Role::matrix, 0},
                            {kInputs, kOutputs, /*bias=*/true, inputs_first}, dense, ledger);
    layer->list(parameters);
    uint64_t seed = 20;
    const auto draw = [&](Parameter* parameter) {
      parameter->value.copy_(random(parameter->value.sizes(), at::kFloat, ++seed));
    };
    for (Parameter* parameter : parameters) draw(parameter);
    layer->initialize(7);
    for (Parameter* parameter : parameters)
      if (parameter->trainable) draw(parameter);
  }
  at::Tensor forward(const at::Tensor& x) {
    const at::Tensor out = at::empty({x.size(0), kOutputs});
    layer->forward(pass, x, out, Write::replace);
    return out;
  }

  at::Tensor bias() const {
    for (const Parameter* parameter : parameters)
      if (parameter->role == Role::bias) return parameter->value;
    return {};
  }

  Ledger ledger{at::kCPU};
  Workspace workspace{ledger};
  Pass pass{workspace, at::kFloat, 1, kTokens};
  DenseBuilder dense{ledger, at::kFloat};
  std::unique_ptr<AdaptedLayer> layer;
  ParameterList parameters;
};

}  // namespace galore::testing_layer
