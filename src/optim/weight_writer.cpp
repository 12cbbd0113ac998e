#include "optim/weight_writer.h"

#include <ATen/ATen.h>

#include <utility>

#include "kernels/group_quantize.h"
#include "kernels/matmul.h"
#include "optim/parameter_groups.h"

namespace galore {
namespace {

// Calls `change` with the most exact copy of the weight. If that is the fp32 copy, the model's value is
// rounded from it afterwards.
template <typename Change>
void change_weight(WeightState& weight, const Change& change) {
  at::Tensor value = matrix_of(weight.parameter);
  if (!weight.master.defined()) return change(value);
  change(weight.master);
  kernels::round_into(weight.master, value, nullptr);
}

}  // namespace

// Returns a buffer for the one weight that is being updated. The buffer is free then: a full gradient has
// been consumed, and low-rank gradients use another buffer.
at::Tensor WeightWriter::full_size_buffer(const WeightState& weight) {
  const char* const name = spares_ ? "optimizer.full_direction" : GradientBuffer::kSharedBuffer;
  return workspace_.get(Owner::gradients, name, matrix_sizes(weight.parameter), at::kFloat);
}

// Computes target += factor * scale * left right. The factor is applied to a copy of the smaller matrix.
void WeightWriter::add_factors(const at::Tensor& target, const Direction& direction, double factor) {
  const bool left_is_smaller = direction.left.numel() < direction.right.numel();
  const at::Tensor& smaller = left_is_smaller ? direction.left : direction.right;
  at::Tensor scaled =
      workspace_.get(Owner::workspace, "optimizer.scaled_factor", smaller.sizes(), at::kFloat);
  at::mul_out(scaled, smaller, at::scalar_tensor(factor * direction.scale, smaller.options()));
  matrix_product(target, left_is_smaller ? scaled : direction.left,
                 left_is_smaller ? direction.right : scaled, Write::accumulate);
}

at::Tensor WeightWriter::dense(const WeightState& weight, Direction direction) {
  if (!direction.left.defined()) return direction.dense;
  if (!direction.dense.defined()) direction.dense = full_size_buffer(weight).zero_();
  add_factors(direction.dense, direction, 1);
  return direction.dense;
}

kernels::WeightUpdate WeightWriter::weight_update(const WeightState& weight) const {
  const double rate = learning_rate_ * weight.learning_rate_factor, kept = 1 - rate * weight.weight_decay;
  kernels::WeightUpdate update{rate, 1, 1, nullptr};
  if (weight.settings.decay_order == DecayOrder::before) update.decay_before = kept;
  if (weight.settings.decay_order == DecayOrder::after) update.decay_after = kept;
  return update;
}

void WeightWriter::take(WeightState& weight, Direction direction) {
  const kernels::WeightUpdate update = weight_update(weight);
  if (!weight.lazy) return write(weight, update, std::move(direction));
  weight.lazy->add(direction, update);
  const double kept = update.decay_before * update.decay_after;
  if (kept == 1) return;
  change_weight(weight, [&](at::Tensor& value) { value.mul_(kept); });
}

// Elsewhere the direction would need memory of its own. The meta device plans a processor's memory.
bool WeightWriter::writes_in_one_pass(const WeightState& weight) {
  if (weight.lazy || weight.master.defined() || weight.parameter.codes) return false;
  const at::Tensor& value = weight.parameter.value;
  const bool rounds_to_nearest =
      value.scalar_type() == at::kBFloat16 && weight.options.rounding != "stochastic";
  return (value.is_cpu() || value.is_meta()) && (value.scalar_type() == at::kFloat || rounds_to_nearest);
}

void WeightWriter::take(WeightState& weight, const kernels::AdamDirection& direction) {
  at::Tensor value = matrix_of(weight.parameter);
  kernels::apply_adamw(direction, weight_update(weight), value);
}

void WeightWriter::fold(WeightState& weight) {
  if (!weight.lazy || weight.lazy->empty()) return;
  write(weight, {.learning_rate = -1}, weight.lazy->direction());
  weight.lazy->clear();
}

void WeightWriter::add_decay(WeightState& weight, const at::Tensor& gradient) {
  const bool projected = weight.gradient->projected();
  at::Tensor value = weight.master;
  if (weight.parameter.codes) {
    value = projected
                ? full_size_buffer(weight)
                : workspace_.get(Owner::workspace, "optimizer.decoded_weight", gradient.sizes(), at::kFloat);
    kernels::decode_groups(*weight.parameter.codes, value);
  } else if (!value.defined()) {
    value = matrix_of(weight.parameter);
    if (projected && value.scalar_type() != at::kFloat) value = full_size_buffer(weight).copy_(value);
  }
  if (projected) value = weight.subspace()->project(value);
  gradient.add_(value, weight.weight_decay);
}

void WeightWriter::write_codes(WeightState& weight, kernels::WeightUpdate update, Direction direction) {
  const RandomStream stream = weight.stream("rounding", updates_);
  const auto& coded = weight.settings.quantized_weights;
  if (!coded || coded->stochastic_round) update.stochastic = &stream;
  kernels::update_groups(update, dense(weight, std::move(direction)), *weight.parameter.codes);
}

void WeightWriter::write(WeightState& weight, kernels::WeightUpdate update, Direction direction) {
  if (!direction.dense.defined() && !direction.left.defined()) return;
  if (weight.parameter.codes) return write_codes(weight, update, std::move(direction));
  const RandomStream stream = weight.stream("rounding", updates_);
  change_weight(weight, [&](at::Tensor& value) {
    if (value.scalar_type() == at::kFloat && direction.left.defined() && !direction.dense.defined()) {
      if (update.decay_before != 1) value.mul_(update.decay_before);
      add_factors(value, direction, -update.learning_rate);
      if (update.decay_after != 1) value.mul_(update.decay_after);
    } else {
      if (weight.options.rounding == "stochastic") update.stochastic = &stream;
      kernels::apply_direction(update, dense(weight, std::move(direction)), value);
    }
  });
}

}  // namespace galore
