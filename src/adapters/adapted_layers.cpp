#include "adapters/adapted_layers.h"

#include <functional>

namespace galore {
namespace {

class AdaptedBuilder : public LayerBuilder {
 public:
  struct Listener {
    std::function<void(AdaptedLayer*, const LinearSize&)> layer;
    std::function<void(AdaptedTable*)> table;
  };
  AdaptedBuilder(std::unique_ptr<LayerBuilder> inner, const Adapter& adapter, Listener made, Ledger& ledger)
      : inner_(std::move(inner)), adapter_(adapter), made_(std::move(made)), ledger_(ledger) {}

  LinearPointer linear(const Place& place, const LinearSize& size) const override {
    if (!adapter_.takes(place)) return inner_->linear(place, size);
    auto layer = adapter_.linear(place, size, *inner_, ledger_);
    made_.layer(layer.get(), size);
    return layer;
  }
  TablePointer embedding(const Place& place, const TableSize& size) const override {
    if (!adapter_.takes(place)) return inner_->embedding(place, size);
    auto table = adapter_.embedding(place, size, *inner_, ledger_);
    made_.table(table.get());
    return table;
  }
  bool changes(const Place& place) const override { return adapter_.takes(place) || inner_->changes(place); }
  void allocate(Parameter& parameter, at::IntArrayRef shape) const override {
    inner_->allocate(parameter, shape);
  }

 private:
  std::unique_ptr<LayerBuilder> inner_;
  const Adapter& adapter_;
  Listener made_;
  Ledger& ledger_;
};

}  // namespace

std::unique_ptr<LayerBuilder> AdaptedLayers::wrap(std::unique_ptr<LayerBuilder> inner, Ledger& ledger) {
  const AdaptedBuilder::Listener made{[this](AdaptedLayer* layer, const LinearSize& size) {
                                        layers_.push_back(layer);
                                        inputs_first_ = inputs_first_ || size.inputs_first;
                                      },
                                      [this](AdaptedTable* table) { tables_.push_back(table); }};
  return std::make_unique<AdaptedBuilder>(std::move(inner), *adapter_, made, ledger);
}

void AdaptedLayers::choose_trainable(const ParameterList& parameters) const {
  adapter_->choose_trainable(parameters, places());
}

void AdaptedLayers::initialize(uint64_t seed) const {
  for (AdaptedTable* table : tables_) table->initialize(seed);
  for (AdaptedLayer* layer : layers_) layer->initialize(seed);
}

void AdaptedLayers::fit(const AdaptedLayer::Stored& stored) const {
  for (AdaptedLayer* layer : layers_) layer->fit(stored);
}

std::vector<std::string> AdaptedLayers::places() const {
  std::vector<std::string> names;
  for (const AdaptedTable* table : tables_) names.push_back(table->name());
  for (const AdaptedLayer* layer : layers_) names.push_back(layer->name());
  return names;
}

}  // namespace galore
