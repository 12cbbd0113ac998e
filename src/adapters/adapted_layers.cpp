#include "adapters/adapted_layers.h"

#include <functional>

namespace galore {
namespace {

class AdaptedBuilder : public LayerBuilder {
 public:
  AdaptedBuilder(std::unique_ptr<LayerBuilder> inner, const Adapter& adapter,
                 std::function<void(AdaptedLayer*, const LinearSize&)> add, Ledger& ledger)
      : inner_(std::move(inner)), adapter_(adapter), add_(std::move(add)), ledger_(ledger) {}

  LinearPointer linear(const Place& place, const LinearSize& size) const override {
    if (!adapter_.takes(place)) return inner_->linear(place, size);
    auto layer = adapter_.linear(place, size, *inner_, ledger_);
    add_(layer.get(), size);
    return layer;
  }
  void allocate(Parameter& parameter, at::IntArrayRef shape) const override {
    inner_->allocate(parameter, shape);
  }

 private:
  std::unique_ptr<LayerBuilder> inner_;
  const Adapter& adapter_;
  std::function<void(AdaptedLayer*, const LinearSize&)> add_;
  Ledger& ledger_;
};

}  // namespace

std::unique_ptr<LayerBuilder> AdaptedLayers::wrap(std::unique_ptr<LayerBuilder> inner, Ledger& ledger) {
  const auto add = [this](AdaptedLayer* layer, const LinearSize& size) {
    layers_.push_back(layer);
    inputs_first_ = inputs_first_ || size.inputs_first;
  };
  return std::make_unique<AdaptedBuilder>(std::move(inner), *adapter_, add, ledger);
}

void AdaptedLayers::choose_trainable(const ParameterList& parameters) const {
  adapter_->choose_trainable(parameters, places());
}

void AdaptedLayers::initialize(uint64_t seed) const {
  for (AdaptedLayer* layer : layers_) layer->initialize(seed);
}

void AdaptedLayers::fit(const AdaptedLayer::Stored& stored) const {
  for (AdaptedLayer* layer : layers_) layer->fit(stored);
}

std::vector<std::string> AdaptedLayers::places() const {
  std::vector<std::string> names;
  for (const AdaptedLayer* layer : layers_) names.push_back(layer->name());
  return names;
}

}  // namespace galore
