#include "train/adapter_start.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "adapters/adapted_layers.h"
#include "core/errors.h"

namespace galore {
namespace {

// Stands at the frozen weight of an adapted layer and hands the factors of its gradient to the layer.
class StartSink : public GradientSink {
 public:
  StartSink(AdaptedLayer& layer, Parameter& weight) : layer_(layer), binding_(weight, *this) {}

  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override {
    // A layer whose weight is stored as inputs x outputs reports the two in the other order.
    layer_.inputs_first() ? layer_.start_from(input, output_gradient)
                          : layer_.start_from(output_gradient, input);
  }
  void add_rows(const at::Tensor&, const at::Tensor&) override { GALORE_ASSERT(false); }
  void add(const at::Tensor&) override { GALORE_ASSERT(false); }
  void use_done() override {}

 private:
  AdaptedLayer& layer_;
  SinkBinding binding_;
};

// Returns the frozen matrix of the layer, or null if the layer reports it in chunks.
Parameter* frozen_weight(AdaptedLayer& layer) {
  ParameterList own;
  layer.list(own);
  const auto found = std::find_if(own.begin(), own.end(), [](const Parameter* parameter) {
    return parameter->role == Role::matrix && !parameter->trainable && parameter->whole_products;
  });
  return found == own.end() ? nullptr : *found;
}

}  // namespace

bool starts_from_data(const TrainableModel& model) {
  if (!model.adapted()) return false;
  const auto& layers = model.adapted()->layers();
  return std::any_of(layers.begin(), layers.end(),
                     [](const AdaptedLayer* layer) { return layer->starts_from_data(); });
}

void start_from_batch(TrainableModel& model, const Batch& batch) {
  std::vector<std::unique_ptr<StartSink>> sinks;
  for (AdaptedLayer* layer : model.adapted()->layers()) {
    Parameter* weight = layer->starts_from_data() ? frozen_weight(*layer) : nullptr;
    if (weight) sinks.push_back(std::make_unique<StartSink>(*layer, *weight));
  }
  if (batch.targets.count == 0) fail("init_lora_weights", "no label of the first batch counts");
  model.train_step(batch, 1.0 / static_cast<double>(batch.targets.count));
}

}  // namespace galore
