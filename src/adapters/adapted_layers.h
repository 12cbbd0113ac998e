// The adapter of one model, and the layers that it has made there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/adapter.h"

namespace galore {

class AdaptedLayers {
 public:
  explicit AdaptedLayers(std::shared_ptr<const Adapter> adapter) : adapter_(std::move(adapter)) {}
  AdaptedLayers(const AdaptedLayers&) = delete;
  AdaptedLayers& operator=(const AdaptedLayers&) = delete;

  // Returns a builder that lets the adapter make the layers at its places, and `inner` all others. This
  // object and the ledger must outlive the builder.
  std::unique_ptr<LayerBuilder> wrap(std::unique_ptr<LayerBuilder> inner, Ledger& ledger);
  // Lets the adapter decide which of the model's parameters are trained. An adapter that has taken no place
  // is an Error.
  void choose_trainable(const ParameterList& parameters) const;
  // Gives the adapter's parameters their first values. The other weights are set before.
  void initialize(uint64_t seed) const;
  // Gives the layers' parameters their sizes in the files which are then read.
  void fit(const AdaptedLayer::Stored& stored) const;

  const Adapter& adapter() const { return *adapter_; }
  // Return the layers and tables, which belong to the model.
  const std::vector<AdaptedLayer*>& layers() const { return layers_; }
  const std::vector<AdaptedTable*>& tables() const { return tables_; }
  std::vector<std::string> places() const;
  // Returns true if weights at the places are stored as inputs x outputs.
  bool inputs_first() const { return inputs_first_; }
  // Returns the adapter's peft_config() for these layers.
  Adapter::Json peft_config() const { return adapter_->peft_config(places(), inputs_first_); }

 private:
  std::shared_ptr<const Adapter> adapter_;
  std::vector<AdaptedLayer*> layers_;
  std::vector<AdaptedTable*> tables_;
  bool inputs_first_ = false;  // whether a layer's weight is stored as inputs x outputs
};

}  // namespace galore
