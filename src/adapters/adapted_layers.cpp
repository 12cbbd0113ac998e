#include "adapters/adapted_layers.h"

#include "core/errors.h"

namespace galore {
namespace {

class AdaptedBuilder : public LayerBuilder {
 public:
  AdaptedBuilder(std::unique_ptr<LayerBuilder> inner, const Adapter& adapter,
                 std::vector<AdaptedLayer*>& layers, Ledger& ledger)
      : inner_(std::move(inner)), adapter_(adapter), layers_(layers), ledger_(ledger) {}

  LinearPointer linear(const Place& place, const LinearSize& size) const override {
    if (!adapter_.takes(place)) return inner_->linear(place, size);
    auto layer = adapter_.linear(place, size, *inner_, ledger_);
    layers_.push_back(layer.get());
    return layer;
  }
  void allocate(Parameter& parameter, at::IntArrayRef shape) const override {
    inner_->allocate(parameter, shape);
  }

 private:
  std::unique_ptr<LayerBuilder> inner_;
  const Adapter& adapter_;
  std::vector<AdaptedLayer*>& layers_;
  Ledger& ledger_;
};

}  // namespace

std::unique_ptr<LayerBuilder> AdaptedLayers::wrap(std::unique_ptr<LayerBuilder> inner, Ledger& ledger) {
  return std::make_unique<AdaptedBuilder>(std::move(inner), *adapter_, layers_, ledger);
}

void AdaptedLayers::choose_trainable(const ParameterList& parameters) const {
  adapter_->choose_trainable(parameters, places());
}

void AdaptedLayers::initialize(uint64_t seed) const {
  for (AdaptedLayer* layer : layers_) layer->initialize(seed);
}

std::vector<std::string> AdaptedLayers::places() const {
  std::vector<std::string> names;
  for (const AdaptedLayer* layer : layers_) names.push_back(layer->name());
  return names;
}

}  // namespace galore
