#include "kernels/apply_direction.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <vector>

#include "core/errors.h"
#include "kernels/cpu/grain.h"
#include "kernels/formulas/rounding.h"

namespace galore::kernels {
namespace {

constexpr int64_t kSumPiece = 65536;

// Calls store(i, random bits) for i in [begin, end).
template <typename Store>
void with_random_bits(const RandomStream& stream, int64_t begin, int64_t end, const Store& store) {
  constexpr int64_t kGroup = formulas::kRoundingsPerBlock;
  for (int64_t group = begin / kGroup; group * kGroup < end; ++group) {
    const auto words = stream.block(static_cast<uint64_t>(group));
    for (int64_t i = std::max(begin, group * kGroup); i < std::min(end, (group + 1) * kGroup); ++i)
      store(i, formulas::rounding_bits(words, i % kGroup));
  }
}

// weight[i] = rounded(value(i)), in bf16.
template <typename Value>
void write_bfloat16(uint16_t* weight, int64_t count, const RandomStream* stochastic, const Value& value) {
  at::parallel_for(0, count, cpu::kElementwiseGrain, [&](int64_t begin, int64_t end) {
    if (stochastic) {
      with_random_bits(*stochastic, begin, end, [&](int64_t i, uint32_t bits) {
        weight[i] = formulas::round_stochastic(value(i), bits);
      });
    } else {
      for (int64_t i = begin; i < end; ++i) weight[i] = formulas::round_nearest(value(i));
    }
  });
}

uint16_t* bfloat16_bits(at::Tensor& tensor) { return static_cast<uint16_t*>(tensor.mutable_data_ptr()); }

bool is_cpu_bfloat16(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kBFloat16;
}

bool is_cuda_bfloat16(const at::Tensor& tensor) {
  return tensor.is_cuda() && tensor.scalar_type() == at::kBFloat16;
}

formulas::UpdateFactors factors_of(const WeightUpdate& update) {
  return {static_cast<float>(update.learning_rate), static_cast<float>(update.decay_before),
          static_cast<float>(update.decay_after)};
}

// Devices without a kernel of ours: the same arithmetic by composed tensor operations.
void round_composed(const at::Tensor& source, at::Tensor& destination, const RandomStream* stochastic) {
  if (!stochastic || destination.scalar_type() != at::kBFloat16) {
    destination.copy_(source);
    return;
  }
  at::Tensor host = at::empty(destination.sizes(), at::kBFloat16);
  round_into(source.to(at::kCPU).contiguous(), host, stochastic);
  destination.copy_(host);
}

double sum_piece(const float* data, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(data[i]) * static_cast<double>(data[i]);
  return sum;
}

}  // namespace

void apply_direction(const WeightUpdate& update, const at::Tensor& direction, at::Tensor& weight) {
  GALORE_ASSERT(weight.is_contiguous() && direction.is_contiguous() && weight.numel() == direction.numel());
  if (weight.is_meta()) return;
  if (is_cpu_bfloat16(weight)) {
    uint16_t* bits = bfloat16_bits(weight);
    const float* step = direction.const_data_ptr<float>();
    const formulas::UpdateFactors factors = factors_of(update);
    return write_bfloat16(bits, weight.numel(), update.stochastic, [=](int64_t i) {
      return formulas::updated_weight(factors, formulas::float_of_bfloat16(bits[i]), step[i]);
    });
  }
  if (is_cuda_bfloat16(weight))
    return cuda::apply_direction(factors_of(update), direction, weight, update.stochastic);
  if (weight.scalar_type() == at::kFloat) {
    if (update.decay_before != 1) weight.mul_(update.decay_before);
    weight.add_(direction, -update.learning_rate);
    if (update.decay_after != 1) weight.mul_(update.decay_after);
    return;
  }
  at::Tensor exact = weight.to(at::kFloat);
  WeightUpdate plain = update;
  plain.stochastic = nullptr;
  apply_direction(plain, direction, exact);
  round_composed(exact, weight, update.stochastic);
}

void round_into(const at::Tensor& source, at::Tensor& destination, const RandomStream* stochastic) {
  if (destination.is_meta()) return;
  if (is_cuda_bfloat16(destination) && source.is_cuda() && source.is_contiguous())
    return cuda::round_into(source, destination, stochastic);
  if (!is_cpu_bfloat16(destination) || !source.is_contiguous())
    return round_composed(source, destination, stochastic);
  const float* values = source.const_data_ptr<float>();
  write_bfloat16(bfloat16_bits(destination), destination.numel(), stochastic,
                 [=](int64_t i) { return values[i]; });
}

double sum_squares(const at::Tensor& tensor) {
  if (tensor.is_meta()) return 0;
  const bool plain = tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
  if (plain && tensor.is_cuda()) return cuda::sum_squares(tensor, kSumPiece);
  if (!plain || !tensor.is_cpu()) return tensor.to(at::kDouble).square().sum().item<double>();
  const float* data = tensor.const_data_ptr<float>();
  const int64_t count = tensor.numel(), num_pieces = (count + kSumPiece - 1) / kSumPiece;
  std::vector<double> sums(static_cast<size_t>(num_pieces));
  at::parallel_for(0, num_pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[static_cast<size_t>(i)] =
          sum_piece(data + i * kSumPiece, std::min(kSumPiece, count - i * kSumPiece));
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace galore::kernels
