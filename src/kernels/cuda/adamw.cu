#include "kernels/adamw.h"
#include "kernels/cuda/adam_moments.cuh"
#include "kernels/cuda/launch.cuh"

namespace galore::kernels::cuda {
namespace {

__global__ void adamw_kernel(AdamFactors factors, float* gradient, float* m, float* v, int64_t count) {
  for (int64_t i = first_item(); i < count; i += item_stride()) {
    const AdamMoments moments = next_moments(factors, {m[i], v[i]}, gradient[i]);
    m[i] = moments.m;
    v[i] = moments.v;
    gradient[i] = direction_of(factors, moments);
  }
}

}  // namespace

void adamw_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  launch_items(gradient, gradient.numel(), adamw_kernel, AdamFactors(step),
               gradient.mutable_data_ptr<float>(), m.mutable_data_ptr<float>(), v.mutable_data_ptr<float>(),
               gradient.numel());
}

}  // namespace galore::kernels::cuda
