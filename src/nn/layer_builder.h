// A layer builder decides which layer stands at each place that a model names. Builders wrap builders:
// quantized weights and adapters are one builder each, and models know nothing about them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/group_quantized.h"
#include "core/memory.h"
#include "core/parameter.h"
#include "nn/embedding_table.h"
#include "nn/linear_layer.h"

namespace galore {

// The place of a layer in its model.
struct Place {
  std::string name;  // name without ".weight", for example "model.layers.0.mlp.up_proj"
  Role role = Role::matrix;
  int64_t layer = -1;      // number of the transformer layer; -1: outside of all layers
  int64_t num_layers = 0;  // number of the model's transformer layers; 0 outside of all layers

  // Returns the place `part` inside this one. Its name is "<name>.<part>".
  Place at(const std::string& part) const { return {name + "." + part, role, layer, num_layers}; }
  Place as(Role other) const { return {name, other, layer, num_layers}; }
};

class LayerBuilder {
 public:
  virtual ~LayerBuilder() = default;
  virtual LinearPointer linear(const Place& place, const LinearSize& size) const = 0;
  virtual TablePointer embedding(const Place& place, const TableSize& size) const;
  // Returns true if the layer at this place is another than a plain matrix or table.
  virtual bool changes(const Place& /*place*/) const { return false; }
  // Gives `parameter`, which has a name, a role and a layer, a value or codes of this shape.
  virtual void allocate(Parameter& parameter, at::IntArrayRef shape) const = 0;
};

// Builds layers in which every matrix is a plain tensor of one dtype on the ledger's device.
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

// Names `parameter` "<place>.<name>", sets its role and layer, and lets the builder allocate it.
void define_parameter(Parameter& parameter, const Place& place, const char* name, at::IntArrayRef shape,
                      const LayerBuilder& builder);

}  // namespace galore
