// Updates Adam's moments of a flat tensor by one step and computes the direction. It does not change the
// weight.
//
// Kingma and Ba 2015, Algorithm 1, in the form of GaLore's code (arXiv 2403.03507, Algorithm 2):
//   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   direction = correction * m / (sqrt(v) + epsilon),  correction = sqrt(1 - beta2^t) / (1 - beta1^t)
// The epsilon of Adam's paper, which is added after the bias correction, corresponds to epsilon * sqrt(1 -
// beta2^t) here; the update rule passes the epsilon that it needs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "kernels/apply_direction.h"

namespace galore::kernels {

struct AdamStep {
  // fp64, because 1 - beta loses digits in fp32: 1 - 0.999f has a relative error of 1e-5.
  double beta1, beta2;
  float epsilon;     // added to sqrt(v)
  float correction;  // see above
  float rest1() const { return static_cast<float>(1 - beta1); }
  float rest2() const { return static_cast<float>(1 - beta2); }
};

// Overwrites `gradient` (fp32, any shape) by the direction and updates m and v (fp32, same shape). All are
// contiguous.
void adamw_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v);

// A direction that is computed when it is written to the weight, which saves a pass over memory.
struct AdamDirection {
  AdamStep step;
  at::Tensor gradient, m, v;  // as in adamw_direction(), but the gradient stays as it is
};
// Computes the direction and updates `weight` (fp32, bf16 or fp16, contiguous), with the bits of
// adamw_direction() and apply_direction() one after the other.
void apply_adamw(const AdamDirection& direction, const WeightUpdate& update, at::Tensor& weight);

namespace composed {
void adamw_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v);
}
namespace cpu {
// `direction` may be `gradient`.
void adamw_direction(const AdamStep& step, const float* gradient, float* direction, float* m, float* v,
                     int64_t count);
struct AdamUpdate {
  AdamStep step;
  formulas::UpdateFactors factors;
  const float* gradient;
  float *m, *v, *weight;
};
void apply_adamw(const AdamUpdate& update, int64_t count);
}  // namespace cpu
namespace cuda {
void adamw_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v);
}

}  // namespace galore::kernels
