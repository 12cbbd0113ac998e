// Writes directions to weights: in full or as factors, to fp32, bf16 or 8-bit codes, at once or lazily.
#pragma once

#include <cstdint>

#include "core/memory.h"
#include "kernels/apply_direction.h"
#include "optim/direction.h"
#include "optim/weight_state.h"

namespace galore {

class WeightWriter {
 public:
  explicit WeightWriter(Workspace& workspace) : workspace_(workspace) {}

  // Call it before the update after `updates` others.
  void begin(double learning_rate, int64_t updates) {
    learning_rate_ = learning_rate;
    updates_ = updates;
  }
  // Lets the next calls use a buffer of their own instead of the one that gradients share.
  void spare_shared_buffer(bool spare) { spares_ = spare; }
  // Subtracts the learning rate times `direction` from the weight or its lazy part, and applies decoupled
  // decay. An empty direction changes nothing.
  void take(WeightState& weight, Direction direction);
  // Returns true if the weight may be written while its direction is computed.
  static bool writes_in_one_pass(const WeightState& weight);
  // Does the same as the other take() with a direction of such a weight.
  void take(WeightState& weight, const kernels::AdamDirection& direction);
  // Adds the lazy part to the weight. It must be called before the basis of the lazy part changes.
  void fold(WeightState& weight);
  // Adds weight_decay W to the gradient, or the projection of that if the gradient is projected.
  void add_decay(WeightState& weight, const at::Tensor& gradient);

 private:
  at::Tensor full_size_buffer(const WeightState& weight);
  at::Tensor dense(const WeightState& weight, Direction direction);
  void add_factors(const at::Tensor& target, const Direction& direction, double factor);
  kernels::WeightUpdate weight_update(const WeightState& weight) const;
  void write(WeightState& weight, kernels::WeightUpdate update, Direction direction);
  void write_codes(WeightState& weight, kernels::WeightUpdate update, Direction direction);

  Workspace& workspace_;
  double learning_rate_ = 0;
  int64_t updates_ = 0;
  bool spares_ = false;
};

}  // namespace galore
