// An adapter changes the layers at some places of a model: it adds factors to a weight, replaces the weight
// by factors, or the like. Each adapter has a file and one row in the table of adapter_kind.h. Models,
// optimizers and the trainer know adapters by this interface only.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/parameter.h"
#include "nn/embedding_table.h"
#include "nn/layer_builder.h"
#include "nn/linear_layer.h"

namespace galore {

// A layer that an adapter has made. Its own parameters have Role::adapter.
class AdaptedLayer : public LinearLayer {
 public:
  // Gives the adapter's own parameters their first values. The weights of the model are set before.
  virtual void initialize(uint64_t seed) = 0;
  // Returns true if the first values depend on a batch. Then start_from() sets them, given the gradient of
  // the layer's output (T x outputs) and its input (T x inputs).
  virtual bool starts_from_data() const { return false; }
  // Returns true if the frozen weight is stored as inputs x outputs.
  virtual bool inputs_first() const { return false; }
  virtual void start_from(const at::Tensor& /*gradient*/, const at::Tensor& /*input*/) {}
  // Returns the sizes of a stored tensor of this name, or nothing.
  using Stored = std::function<std::optional<std::vector<int64_t>>(const std::string& name)>;
  // Gives parameters the sizes that they have in the files which are then read. Only layers whose sizes
  // change in training do anything.
  virtual void fit(const Stored& /*stored*/) {}
};

// A table of rows that an adapter has made. The same holds for its parameters.
class AdaptedTable : public EmbeddingTable {
 public:
  virtual void initialize(uint64_t seed) = 0;
};

class Adapter {
 public:
  using Json = nlohmann::ordered_json;
  virtual ~Adapter() = default;

  // Returns true if the adapter changes the layer at this place.
  virtual bool takes(const Place& place) const = 0;
  // Makes the layer at a place that the adapter takes. `inner` makes the layer that would stand there
  // without the adapter; an adapter that replaces the weight does not ask for it.
  virtual std::unique_ptr<AdaptedLayer> linear(const Place& place, const LinearSize& size,
                                               const LayerBuilder& inner, Ledger& ledger) const = 0;
  // Makes the table at a place of role embedding that the adapter takes.
  virtual std::unique_ptr<AdaptedTable> embedding(const Place& place, const TableSize& size,
                                                  const LayerBuilder& inner, Ledger& ledger) const;
  // Sets Parameter::trainable. `parameters` are those of the whole model, `places` the names of all places
  // that the adapter has taken. Refuses options that fit nothing in this model. By default every parameter is
  // trained that its layer has not frozen.
  virtual void choose_trainable(const ParameterList& /*parameters*/,
                                const std::vector<std::string>& /*places*/) const {}
  // Returns the parameter's learning rate divided by the learning rate of the run.
  virtual double learning_rate_factor(const Parameter& /*parameter*/, double /*learning_rate*/) const {
    return 1;
  }

  // Returns the content of adapter_config.json if the adapter has a form in PEFT's files, and null otherwise.
  // `inputs_first` tells whether the weights at the places are stored as inputs x outputs.
  // Without such a form, the model's files hold the parameters under their own names.
  virtual Json peft_config(const std::vector<std::string>& /*places*/, bool /*inputs_first*/) const {
    return nullptr;
  }
  // Returns {"adapter": its name, "adapter_args": its arguments} if it has no form in PEFT's files, and null
  // otherwise.
  virtual Json choice() const { return nullptr; }
  // Returns the name in adapter_model.safetensors of a parameter.
  virtual std::string peft_name(const Parameter& parameter, const std::vector<std::string>& places) const;
};

}  // namespace galore
