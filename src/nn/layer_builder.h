// Decides which layer stands at each place that a model names. Builders wrap builders: quantized weights and
// adapters are one builder each, and no model knows them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/group_codes.h"
#include "core/memory.h"
#include "core/parameter.h"
#include "nn/linear_layer.h"

namespace galore {

// Where a layer stands in its model.
struct Place {
  std::string name;  // without ".weight", e.g. "model.layers.0.mlp.up_proj"
  Role role = Role::matrix;
  int64_t layer = -1;  // number of the transformer layer; -1: outside of all layers

  // The place `part` inside this one: its name is "<name>.<part>".
  Place at(const std::string& part) const { return {name + "." + part, role, layer}; }
  Place as(Role other) const { return {name, other, layer}; }
};

class LayerBuilder {
 public:
  virtual ~LayerBuilder() = default;
  virtual LinearPointer linear(const Place& place, const LinearSize& size) const = 0;
  // Gives `parameter`, whose name, role and layer are set, a value or codes of this shape.
  virtual void allocate(Parameter& parameter, at::IntArrayRef shape) const = 0;
};

// Every matrix is a plain tensor of one dtype on the ledger's device.
class DenseBuilder : public LayerBuilder {
 public:
  DenseBuilder(Ledger& ledger, at::ScalarType dtype) : ledger_(ledger), dtype_(dtype) {}
  LinearPointer linear(const Place& place, const LinearSize& size) const override;
  void allocate(Parameter& parameter, at::IntArrayRef shape) const override;

 private:
  Ledger& ledger_;
  at::ScalarType dtype_;
};

// Stores the matrices that `quantization` names as group codes and leaves everything else to `inner`.
class QuantizedBuilder : public LayerBuilder {
 public:
  QuantizedBuilder(std::unique_ptr<LayerBuilder> inner, WeightQuantization quantization, Ledger& ledger)
      : inner_(std::move(inner)), quantization_(std::move(quantization)), ledger_(ledger) {}
  LinearPointer linear(const Place& place, const LinearSize& size) const override;
  void allocate(Parameter& parameter, at::IntArrayRef shape) const override;

 private:
  std::unique_ptr<LayerBuilder> inner_;
  WeightQuantization quantization_;
  Ledger& ledger_;
};

// Makes `parameter` the one named "<place>.<name>", with its role and layer, allocated by the builder.
void define_parameter(Parameter& parameter, const Place& place, const char* name, at::IntArrayRef shape,
                      const LayerBuilder& builder);

}  // namespace galore
