#include "kernels/apply_direction.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "core/errors.h"
#include "kernels/formulas/rounding.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

constexpr int64_t kCudaSumPiece = 65536;

bool is_bfloat16(const at::Tensor& tensor) { return tensor.scalar_type() == at::kBFloat16; }

// For devices without our kernels: the same arithmetic by tensor operations.
void round_composed(const at::Tensor& source, at::Tensor& destination, const RandomStream* stochastic) {
  if (!stochastic || destination.scalar_type() == at::kFloat) {
    destination.copy_(source);
    return;
  }
  at::Tensor host = at::empty(destination.sizes(), destination.scalar_type());
  round_into(source.to(at::kCPU).contiguous(), host, stochastic);
  destination.copy_(host);
}

void update_composed(const WeightUpdate& update, const at::Tensor& direction, at::Tensor& weight) {
  if (weight.scalar_type() == at::kFloat) {
    if (update.decay_before != 1) weight.mul_(update.decay_before);
    weight.add_(direction, -update.learning_rate);
    if (update.decay_after != 1) weight.mul_(update.decay_after);
    return;
  }
  at::Tensor exact = weight.to(at::kFloat);
  update_composed(update, direction, exact);
  round_composed(exact, weight, update.stochastic);
}

void update_on_cpu(const WeightUpdate& update, const at::Tensor& direction, at::Tensor& weight) {
  if (direction.scalar_type() == at::kFloat) {
    const cpu::UpdateTask task{update.factors(), direction.const_data_ptr<float>(), update.stochastic};
    if (weight.scalar_type() == at::kFloat)
      return cpu::apply_direction(task, weight.mutable_data_ptr<float>(), weight.numel());
    if (is_bfloat16(weight))
      return cpu::apply_direction(task, weight.mutable_data_ptr<at::BFloat16>(), weight.numel());
  }
  update_composed(update, direction, weight);
}

void update_on_cuda(const WeightUpdate& update, const at::Tensor& direction, at::Tensor& weight) {
  if (!is_bfloat16(weight)) return update_composed(update, direction, weight);
  cuda::apply_direction(update.factors(), direction, weight, update.stochastic);
}

// Weights in fp16 are rare, so this loop has no vectors.
void round_half(const float* source, at::Half* out, int64_t count, const RandomStream& stream) {
  constexpr int64_t kGroup = formulas::kRoundingsPerBlock, kGroups = 4096;
  at::parallel_for(0, (count + kGroup - 1) / kGroup, kGroups, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      const auto words = stream.block(static_cast<uint64_t>(group));
      for (int64_t i = group * kGroup; i < std::min(count, (group + 1) * kGroup); ++i)
        out[i] =
            at::Half(formulas::round_stochastic_half(source[i], formulas::rounding_bits(words, i % kGroup)),
                     at::Half::from_bits());
    }
  });
}

void round_on_cpu(const at::Tensor& source, at::Tensor& destination, const RandomStream* stochastic) {
  if (stochastic && destination.scalar_type() == at::kHalf) {
    const at::Tensor exact = source.contiguous();
    return round_half(exact.const_data_ptr<float>(), destination.mutable_data_ptr<at::Half>(),
                      destination.numel(), *stochastic);
  }
  if (!is_bfloat16(destination) || !source.is_contiguous())
    return round_composed(source, destination, stochastic);
  cpu::round_into(source.const_data_ptr<float>(), destination.mutable_data_ptr<at::BFloat16>(),
                  destination.numel(), stochastic);
}

void round_on_cuda(const at::Tensor& source, at::Tensor& destination, const RandomStream* stochastic) {
  if (!is_bfloat16(destination) || !source.is_cuda() || !source.is_contiguous())
    return round_composed(source, destination, stochastic);
  cuda::round_into(source, destination, stochastic);
}

// Works in pieces, because an fp64 copy of a whole embedding would be larger than all other tensors.
double sum_squares_of_converted(const at::Tensor& tensor) {
  constexpr int64_t kElements = int64_t{1} << 20;
  const at::Tensor flat = tensor.reshape({-1});
  double total = 0;
  for (int64_t first = 0; first < flat.numel(); first += kElements) {
    const at::Tensor piece = flat.narrow(0, first, std::min(kElements, flat.numel() - first));
    total += piece.to(at::kDouble).square().sum().item<double>();
  }
  return total;
}

bool is_plain_fp32(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
}

double sum_on_cpu(const at::Tensor& tensor) {
  if (!is_plain_fp32(tensor)) return sum_squares_of_converted(tensor);
  return cpu::sum_squares(tensor.const_data_ptr<float>(), tensor.numel());
}

double sum_on_cuda(const at::Tensor& tensor) {
  return is_plain_fp32(tensor) ? cuda::sum_squares(tensor, kCudaSumPiece) : sum_squares_of_converted(tensor);
}

const Operation<void(const WeightUpdate&, const at::Tensor&, at::Tensor&)> kApplyDirection(
    "apply_direction", {.cpu = update_on_cpu, .cuda = update_on_cuda, .composed = update_composed});
const Operation<decltype(round_into)> kRoundInto("round_into", {.cpu = round_on_cpu,
                                                                .cuda = round_on_cuda,
                                                                .composed = round_composed});
const Operation<decltype(sum_squares)> kSumSquares("sum_squares", {.cpu = sum_on_cpu,
                                                                   .cuda = sum_on_cuda,
                                                                   .composed = sum_squares_of_converted});

}  // namespace

void apply_direction(const WeightUpdate& update, const at::Tensor& direction, at::Tensor& weight) {
  GALORE_ASSERT(weight.is_contiguous() && direction.is_contiguous() && weight.numel() == direction.numel());
  kApplyDirection(weight, update, direction, weight);
}

void round_into(const at::Tensor& source, at::Tensor& destination, const RandomStream* stochastic) {
  kRoundInto(destination, source, destination, stochastic);
}

double sum_squares(const at::Tensor& tensor) { return kSumSquares(tensor, tensor); }

}  // namespace galore::kernels
