#include "kernels/apply_direction.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/formulas/rounding.h"

namespace galore::kernels {
namespace {

constexpr int64_t kCudaSumPiece = 65536;

bool is_cpu_bfloat16(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kBFloat16;
}

bool is_cuda_bfloat16(const at::Tensor& tensor) {
  return tensor.is_cuda() && tensor.scalar_type() == at::kBFloat16;
}

// For devices without our kernels: the same arithmetic by tensor operations.
void round_composed(const at::Tensor& source, at::Tensor& destination, const RandomStream* stochastic) {
  if (!stochastic || destination.scalar_type() != at::kBFloat16) {
    destination.copy_(source);
    return;
  }
  at::Tensor host = at::empty(destination.sizes(), at::kBFloat16);
  round_into(source.to(at::kCPU).contiguous(), host, stochastic);
  destination.copy_(host);
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

}  // namespace

void apply_direction(const WeightUpdate& update, const at::Tensor& direction, at::Tensor& weight) {
  GALORE_ASSERT(weight.is_contiguous() && direction.is_contiguous() && weight.numel() == direction.numel());
  if (weight.is_meta()) return;
  if (weight.is_cpu() && direction.scalar_type() == at::kFloat) {
    const cpu::UpdateTask task{update.factors(), direction.const_data_ptr<float>(), update.stochastic};
    if (weight.scalar_type() == at::kFloat)
      return cpu::apply_direction(task, weight.mutable_data_ptr<float>(), weight.numel());
    if (weight.scalar_type() == at::kBFloat16)
      return cpu::apply_direction(task, weight.mutable_data_ptr<at::BFloat16>(), weight.numel());
  }
  if (is_cuda_bfloat16(weight))
    return cuda::apply_direction(update.factors(), direction, weight, update.stochastic);
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
  cpu::round_into(source.const_data_ptr<float>(), destination.mutable_data_ptr<at::BFloat16>(),
                  destination.numel(), stochastic);
}

double sum_squares(const at::Tensor& tensor) {
  if (tensor.is_meta()) return 0;
  const bool plain = tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
  if (plain && tensor.is_cuda()) return cuda::sum_squares(tensor, kCudaSumPiece);
  if (!plain || !tensor.is_cpu()) return sum_squares_of_converted(tensor);
  return cpu::sum_squares(tensor.const_data_ptr<float>(), tensor.numel());
}

}  // namespace galore::kernels
