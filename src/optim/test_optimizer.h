// Weights with an optimizer, for the tests of optim/ and of tests/battery.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/group_quantize.h"
#include "kernels/test_tensors.h"
#include "optim/foreign_names.h"
#include "optim/optimizer.h"
#include "optim/parameter_groups.h"
#include "optim/presets.h"
#include "optim/weight_overrides.h"

namespace galore::testing_optimizer {

// The tensors are so small that threads would only wait for each other, for a long time on a busy machine.
class OneThread : public testing::Environment {
  void SetUp() override { at::set_num_threads(1); }
};
inline testing::Environment* const kOneThread = testing::AddGlobalTestEnvironment(new OneThread);

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

inline constexpr const char* kSquare = "model.layers.0.self_attn.q_proj.weight";
inline constexpr const char* kTall = "model.layers.0.mlp.up_proj.weight";
inline constexpr const char* kWide = "model.layers.0.mlp.down_proj.weight";
inline constexpr const char* kNorm = "model.layers.0.input_layernorm.weight";
inline constexpr const char* kEmbedding = "model.embed_tokens.weight";

inline at::Tensor random(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype = at::kFloat) {
  return testing_tensors::random(shape, dtype, seed);
}

// Returns a matrix with orthonormal columns.
inline at::Tensor orthonormal(int64_t rows, int64_t columns, uint64_t seed) {
  return std::get<0>(at::linalg_qr(random({rows, columns}, seed)));
}

// Returns one weight of every kind: square, tall and wide (projected by default), a norm and an embedding
// (not projected).
inline NamedTensors all_kinds(at::ScalarType dtype = at::kFloat) {
  return {{kEmbedding, random({30, 16}, 1, dtype)},
          {kSquare, random({16, 16}, 2, dtype)},
          {kTall, random({24, 16}, 3, dtype)},
          {kWide, random({16, 24}, 4, dtype)},
          {kNorm, random({16}, 5, dtype)}};
}

// Returns a gradient with a decaying spectrum, as in training: random numbers with columns of falling size.
inline at::Tensor decaying(at::IntArrayRef shape, uint64_t seed) {
  const at::Tensor noise = random(shape, seed);
  if (shape.size() < 2) return noise;
  const at::Tensor sizes = at::pow(0.8, at::arange(shape[1], at::kFloat));
  return (noise * sizes)
      .matmul(random({shape[1], shape[1]}, seed + 1000) / std::sqrt(static_cast<double>(shape[1])));
}

using testing_tensors::relative_difference;

inline OptimizerOptions with_settings(OptimizerOptions options, const OptimizerSettings& settings) {
  options.settings = settings;
  return options;
}

inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
         at::equal(a.contiguous().view(at::kByte), b.contiguous().view(at::kByte));
}

// Copies every tensor and scalar of a state by name; scalars become tensors of one element.
class StateCopy : public StateVisitor {
 public:
  explicit StateCopy(Optimizer& optimizer) { optimizer.visit(*this); }
  void tensor(const std::string& name, at::Tensor& tensor) override { values[name] = tensor.clone(); }
  void scalar(const std::string& name, int64_t& value) override {
    values[name] = at::full({1}, value, at::kLong);
  }
  void scalar(const std::string& name, double& value) override {
    values[name] = at::full({1}, value, at::kDouble);
  }
  // Returns the name of a value that differs, or "".
  std::string difference(const StateCopy& other) const {
    if (values.size() != other.values.size()) return "the number of values";
    for (const auto& [name, value] : values) {
      const auto found = other.values.find(name);
      if (found == other.values.end() || !same_bits(value, found->second)) return name;
    }
    return "";
  }
  std::map<std::string, at::Tensor> values;
};

// Writes values back into a state by name.
class StateLoader : public StateVisitor {
 public:
  explicit StateLoader(std::map<std::string, at::Tensor> values) : values_(std::move(values)) {}
  void tensor(const std::string& name, at::Tensor& tensor) override { tensor.copy_(values_.at(name)); }
  void scalar(const std::string& name, int64_t& value) override { value = values_.at(name).item<int64_t>(); }
  void scalar(const std::string& name, double& value) override { value = values_.at(name).item<double>(); }

 private:
  std::map<std::string, at::Tensor> values_;
};

class TestRun {
 public:
  TestRun(const std::string& optim, const std::string& optim_args, const NamedTensors& weights,
          OptimizerOptions options = {}, at::Device device = at::kCPU, int embedding_uses = 1)
      : TestRun(with_settings(std::move(options), resolve_optimizer(optim, optim_args)), weights, device,
                embedding_uses) {}
  // Uses the settings of the options.
  TestRun(const OptimizerOptions& options, const NamedTensors& weights, at::Device device = at::kCPU,
          int embedding_uses = 1)
      : ledger(device), workspace(ledger) {
    for (const auto& [name, value] : weights) {
      parameters_.push_back(std::make_unique<Parameter>());
      parameters_.back()->name = name;
      parameters_.back()->value = device.is_meta() ? value.to(at::kMeta) : value.clone();
      parameters_.back()->role = role_by_name(name, value.dim());
      parameters_.back()->layer = layer_by_name(name);
      if (name == kEmbedding) parameters_.back()->uses = embedding_uses;
    }
    quantize_weights(list(), options, ledger);
    optimizer = std::make_unique<Optimizer>(list(), options, workspace);
  }

  ParameterList list() const {
    ParameterList all;
    for (const auto& parameter : parameters_) all.push_back(parameter.get());
    return all;
  }
  Parameter& parameter(const std::string& name) const {
    for (const auto& candidate : parameters_)
      if (candidate->name == name) return *candidate;
    throw std::out_of_range(name);
  }
  // Returns the stored tensor: the value, or the codes of a quantized weight.
  const at::Tensor& stored(const std::string& name) const {
    const Parameter& found = parameter(name);
    return found.codes ? found.codes->codes : found.value;
  }
  // Returns the value; a quantized weight is decoded.
  at::Tensor weight(const std::string& name) const {
    const Parameter& found = parameter(name);
    if (!found.codes) return found.value;
    const at::Tensor value = at::empty(found.sizes());
    kernels::decode_groups(*found.codes, value);
    return value;
  }

  // Runs one update. `gradients[i]` holds micro-batch i, with one tensor for each weight in order.
  UpdateReport update(const std::vector<std::vector<at::Tensor>>& gradients, double learning_rate = 0.01) {
    optimizer->begin_update(learning_rate, static_cast<int64_t>(gradients.size()));
    for (const auto& micro_batch : gradients) {
      for (size_t i = 0; i < parameters_.size(); ++i) {
        parameters_[i]->sink->add(micro_batch[i]);
        for (int use = 0; use < parameters_[i]->uses; ++use) parameters_[i]->sink->use_done();
      }
    }
    return optimizer->finish_update();
  }
  // Runs one update with seeded gradients of every weight, times `factor`.
  UpdateReport update(uint64_t seed, double learning_rate = 0.01, double factor = 1) {
    return update({gradients(seed, factor)}, learning_rate);
  }
  std::vector<at::Tensor> gradients(uint64_t seed, double factor = 1) const {
    std::vector<at::Tensor> all;
    for (size_t i = 0; i < parameters_.size(); ++i)
      all.push_back(decaying(parameters_[i]->sizes(), 100 * seed + i) * factor);
    return all;
  }
  // Returns the name of a weight or state value with different bits, or "".
  std::string difference(const TestRun& other) const {
    for (const auto& candidate : parameters_)
      if (!same_bits(weight(candidate->name), other.weight(candidate->name))) return candidate->name;
    return StateCopy(*optimizer).difference(StateCopy(*other.optimizer));
  }

  Ledger ledger;
  Workspace workspace;

 private:
  std::vector<std::unique_ptr<Parameter>> parameters_;

 public:
  std::unique_ptr<Optimizer> optimizer;  // declared last, so that it releases the parameters first
};

}  // namespace galore::testing_optimizer
