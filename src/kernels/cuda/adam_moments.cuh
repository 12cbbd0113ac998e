// One element of Adam's step (kernels/adamw.h), rounded as the CPU's vector units do: the product of a moment
// and its beta is not rounded before the sum, everything else is.
#pragma once

#include "kernels/adamw.h"

namespace galore::kernels::cuda {

struct AdamFactors {
  explicit AdamFactors(const AdamStep& step)
      : beta1(static_cast<float>(step.beta1)),
        rest1(step.rest1()),
        beta2(static_cast<float>(step.beta2)),
        rest2(step.rest2()),
        epsilon(step.epsilon),
        correction(step.correction) {}
  float beta1, rest1, beta2, rest2, epsilon, correction;
};

struct AdamMoments {
  float m, v;
};

__device__ inline AdamMoments next_moments(const AdamFactors& factors, AdamMoments old, float gradient) {
  return {fmaf(factors.beta1, old.m, factors.rest1 * gradient),
          fmaf(factors.beta2, old.v, factors.rest2 * (gradient * gradient))};
}

__device__ inline float direction_of(const AdamFactors& factors, AdamMoments moments) {
  return factors.correction * (moments.m / (sqrtf(moments.v) + factors.epsilon));
}

}  // namespace galore::kernels::cuda
