// How an Optimizer brings a direction into a weight: whole or in factors, into fp32, bf16 or codes, now or
// lazily.
#include <ATen/ATen.h>

#include <utility>

#include "kernels/group_quantize.h"
#include "kernels/matmul.h"
#include "optim/optimizer.h"

namespace galore {

// For the one weight that is updated now: a gradient in full has been consumed, and a low-rank one never lies
// there.
at::Tensor Optimizer::full_size_buffer(const Slot& slot) {
  return workspace_.get(Owner::gradients, GradientBuffer::kSharedBuffer, matrix_sizes(*slot.parameter),
                        at::kFloat);
}

// target += factor * scale * left right; the factor goes onto a copy of the smaller of the two.
void Optimizer::add_factors(const at::Tensor& target, const Direction& direction, double factor) {
  const bool left_is_smaller = direction.left.numel() < direction.right.numel();
  const at::Tensor& smaller = left_is_smaller ? direction.left : direction.right;
  at::Tensor scaled =
      workspace_.get(Owner::workspace, "optimizer.scaled_factor", smaller.sizes(), at::kFloat);
  at::mul_out(scaled, smaller, at::scalar_tensor(factor * direction.scale, smaller.options()));
  matrix_product(target, left_is_smaller ? scaled : direction.left,
                 left_is_smaller ? direction.right : scaled, Write::accumulate);
}

kernels::WeightUpdate Optimizer::weight_update(const Slot& slot) const {
  const double rate = learning_rate_ * slot.learning_rate_factor, kept = 1 - rate * slot.weight_decay;
  kernels::WeightUpdate update{rate, 1, 1, nullptr};
  if (slot.settings->decay_order == DecayOrder::before) update.decay_before = kept;
  if (slot.settings->decay_order == DecayOrder::after) update.decay_after = kept;
  return update;
}

at::Tensor Optimizer::dense(const Slot& slot, Direction direction) {
  if (!direction.left.defined()) return direction.dense;
  if (!direction.dense.defined()) direction.dense = full_size_buffer(slot).zero_();
  add_factors(direction.dense, direction, 1);
  return direction.dense;
}

// Where the weight is kept most exactly; its copy, if that is not the model's, follows.
template <typename Change>
void Optimizer::change_weight(Slot& slot, const Change& change) {
  at::Tensor value = matrix_of(*slot.parameter);
  if (!slot.master.defined()) return change(value);
  change(slot.master);
  kernels::round_into(slot.master, value, nullptr);
}

void Optimizer::take(Slot& slot, Direction direction) {
  const kernels::WeightUpdate update = weight_update(slot);
  if (!slot.lazy) return write_weight(slot, update, std::move(direction));
  slot.lazy->add(direction, update);
  const double kept = update.decay_before * update.decay_after;
  if (kept == 1) return;
  change_weight(slot, [&](at::Tensor& weight) { weight.mul_(kept); });
}

// Before the basis changes that the lazy part of the weight refers to.
void Optimizer::fold(Slot& slot) {
  if (!slot.lazy || slot.lazy->empty()) return;
  write_weight(slot, {.learning_rate = -1}, slot.lazy->direction());
  slot.lazy->clear();
}

void Optimizer::write_weight(Slot& slot, kernels::WeightUpdate update, Direction direction) {
  if (!direction.dense.defined() && !direction.left.defined()) return;
  const RandomStream stream(options_.seed, "rounding", slot.parameter->name,
                            static_cast<uint64_t>(num_updates_));
  if (slot.parameter->codes) {
    const auto& coded = slot.settings->coded_weights;
    if (!coded || coded->stochastic_round) update.stochastic = &stream;
    return kernels::update_groups(update, dense(slot, std::move(direction)), *slot.parameter->codes);
  }
  change_weight(slot, [&](at::Tensor& weight) {
    if (weight.scalar_type() == at::kFloat && direction.left.defined() && !direction.dense.defined()) {
      if (update.decay_before != 1) weight.mul_(update.decay_before);
      add_factors(weight, direction, -update.learning_rate);
      if (update.decay_after != 1) weight.mul_(update.decay_after);
    } else {
      if (options_.rounding == "stochastic") update.stochastic = &stream;
      kernels::apply_direction(update, dense(slot, std::move(direction)), weight);
    }
  });
}

}  // namespace galore
