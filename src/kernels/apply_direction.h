// Writes weights: W = (W * decay_before - learning_rate * direction) * decay_after.
//
// fp32 weights are written without rounding. bf16 and fp16 weights are computed in fp32 and rounded to
// nearest (ties to even) or stochastically: up with the probability of the discarded part, so that the mean
// of many roundings is exact.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/random.h"
#include "kernels/formulas/rounding.h"

namespace galore::kernels {

struct WeightUpdate {
  double learning_rate = 0;
  double decay_before = 1, decay_after = 1;
  // Null: round to nearest. Otherwise the random stream of this parameter and step.
  const RandomStream* stochastic = nullptr;

  formulas::UpdateFactors factors() const {
    return {static_cast<float>(learning_rate), static_cast<float>(decay_before),
            static_cast<float>(decay_after)};
  }
};

// Updates `weight` (fp32, bf16 or fp16, contiguous) by `direction` (fp32, the weight's shape).
void apply_direction(const WeightUpdate& update, const at::Tensor& direction, at::Tensor& weight);
// Rounds fp32 `source` into `destination` (fp32, bf16 or fp16, same shape; contiguous if rounded
// stochastically).
void round_into(const at::Tensor& source, at::Tensor& destination, const RandomStream* stochastic);

// Returns the sum of squares in fp64. It is the same for any number of threads (fixed pieces, added in
// order). NaN or infinite elements make it NaN or infinite. It is 0 on the meta device.
double sum_squares(const at::Tensor& tensor);

// The CPU versions on pointers. fp32 weights get the result of the tensor library's mul_ and add_, in one
// pass.
namespace cpu {
struct UpdateTask {
  formulas::UpdateFactors factors;
  const float* direction;
  const RandomStream* stochastic;
};
void apply_direction(const UpdateTask& task, float* weight, int64_t count);
void apply_direction(const UpdateTask& task, at::BFloat16* weight, int64_t count);
void round_into(const float* source, at::BFloat16* destination, int64_t count,
                const RandomStream* stochastic);
double sum_squares(const float* data, int64_t count);
}  // namespace cpu

// The CUDA versions: bf16 destinations, fp32 sources, all on one device and contiguous. Each element is
// rounded with the same bits of the stream as on the CPU.
namespace cuda {
void apply_direction(const formulas::UpdateFactors& factors, const at::Tensor& direction, at::Tensor& weight,
                     const RandomStream* stochastic);
void round_into(const at::Tensor& source, at::Tensor& destination, const RandomStream* stochastic);
// Sums fp32 elements in pieces of `piece` elements.
double sum_squares(const at::Tensor& tensor, int64_t piece);
}  // namespace cuda

}  // namespace galore::kernels
