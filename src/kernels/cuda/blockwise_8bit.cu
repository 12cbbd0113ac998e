// One thread block takes one block of codes. Its moments are computed twice, for the largest magnitude and
// for the codes, because keeping them would need memory of the block's size, and the inputs are in the cache
// then.
#include "kernels/blockwise_8bit.h"
#include "kernels/cuda/adam_moments.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/formulas/blockwise_8bit.h"

namespace galore::kernels::cuda {
namespace {

struct Code {
  float value[256];
  float boundary[255];
};
struct Codes {
  Code m, v;
};

Code code_from(const CodeBook& book, bool is_signed) {
  Code code;
  std::copy(book.begin(), book.end(), code.value);
  const auto boundaries = formulas::code_boundaries(book, is_signed);
  std::copy(boundaries.begin(), boundaries.end(), code.boundary);
  return code;
}

const Codes& codes_of_moments() {
  static const Codes codes{code_from(signed_code_book(), true), code_from(unsigned_code_book(), false)};
  return codes;
}

// Of one block of codes.
struct Block {
  float* gradient;
  uint8_t *m, *v;
  float *m_scale, *v_scale;
  int64_t length;
};

struct Step {
  AdamFactors factors;
  float m_scale, v_scale;  // before the step
};

// An element whose gradient is infinite or NaN loses its moments.
__device__ AdamMoments moments_of(const Step& step, const Codes& codes, const Block& block, int64_t i) {
  const float gradient = block.gradient[i];
  if (!isfinite(gradient)) return {0, 0};
  const AdamMoments old{codes.m.value[block.m[i]] * step.m_scale, codes.v.value[block.v[i]] * step.v_scale};
  return next_moments(step.factors, old, gradient);
}

__device__ void adamw_8bit_block(const AdamFactors& factors, const Codes& codes, const Block& block,
                                 float* scratch) {
  const Step step{factors, *block.m_scale, *block.v_scale};
  AdamMoments largest{0, 0};
  for (int64_t i = threadIdx.x; i < block.length; i += blockDim.x) {
    const AdamMoments moments = moments_of(step, codes, block, i);
    largest = {fmaxf(largest.m, fabsf(moments.m)), fmaxf(largest.v, moments.v)};
  }
  // Every thread has read the old scales when the first of these returns.
  const auto larger = [](float a, float b) { return fmaxf(a, b); };
  largest = {over_block(largest.m, scratch, larger), over_block(largest.v, scratch, larger)};
  // An all-zero block divides by one instead of by zero; its codes become those of zero.
  const float m_divisor = largest.m > 0 ? largest.m : 1, v_divisor = largest.v > 0 ? largest.v : 1;
  for (int64_t i = threadIdx.x; i < block.length; i += blockDim.x) {
    const AdamMoments moments = moments_of(step, codes, block, i);
    const bool finite = isfinite(block.gradient[i]);
    block.gradient[i] = finite ? direction_of(factors, moments) : 0;
    block.m[i] = formulas::code_of(codes.m.boundary, moments.m / m_divisor);
    block.v[i] = formulas::code_of(codes.v.boundary, moments.v / v_divisor);
  }
  if (threadIdx.x == 0) *block.m_scale = largest.m, *block.v_scale = largest.v;
}

struct Moments {
  uint8_t *m, *v;
  float *m_scales, *v_scales;
  int64_t block_size;
};

__global__ void adamw_8bit_kernel(AdamFactors factors, Codes given, float* gradient, Moments moments,
                                  int64_t count) {
  // Threads read different entries at once: shared memory serves that, a kernel's parameters serve one by
  // one.
  __shared__ Codes codes;
  __shared__ float scratch[kThreads];
  for (unsigned i = threadIdx.x; i < sizeof(Codes) / sizeof(float); i += blockDim.x)
    reinterpret_cast<float*>(&codes)[i] = reinterpret_cast<const float*>(&given)[i];
  __syncthreads();
  const int64_t num_blocks = (count + moments.block_size - 1) / moments.block_size;
  for (int64_t b = blockIdx.x; b < num_blocks; b += gridDim.x) {
    const int64_t offset = b * moments.block_size;
    const int64_t rest = count - offset, length = rest < moments.block_size ? rest : moments.block_size;
    const Block block{gradient + offset,    moments.m + offset,   moments.v + offset,
                      moments.m_scales + b, moments.v_scales + b, length};
    adamw_8bit_block(factors, codes, block, scratch);
  }
}

}  // namespace

void adamw_8bit_direction(const AdamStep& step, at::Tensor& gradient, Codes8& m, Codes8& v) {
  const Moments moments{m.codes.mutable_data_ptr<uint8_t>(), v.codes.mutable_data_ptr<uint8_t>(),
                        m.scales.mutable_data_ptr<float>(), v.scales.mutable_data_ptr<float>(), m.block_size};
  launch(gradient, m.scales.numel(), adamw_8bit_kernel, AdamFactors(step), codes_of_moments(),
         gradient.mutable_data_ptr<float>(), moments, gradient.numel());
}

}  // namespace galore::kernels::cuda
