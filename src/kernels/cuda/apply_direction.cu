#include <ATen/Functions.h>

#include "core/philox.h"
#include "kernels/apply_direction.h"
#include "kernels/cuda/launch.cuh"

namespace galore::kernels::cuda {
namespace {

// A random stream as device code takes it; not `present`: round to nearest.
struct Stream {
  explicit Stream(const RandomStream* stream) : present(stream != nullptr) {
    if (stream) key = stream->key(), step = stream->step();
  }
  bool present;
  std::array<uint32_t, 2> key{};
  uint64_t step = 0;
};

struct UpdatedWeight {
  formulas::UpdateFactors factors;
  const float* direction;
  __device__ float operator()(int64_t i, uint16_t old) const {
    return formulas::updated_weight(factors, formulas::float_of_bfloat16(old), direction[i]);
  }
};

struct Source {
  const float* values;
  __device__ float operator()(int64_t i, uint16_t) const { return values[i]; }
};

// weight[i] = rounded(value(i, weight[i])); a thread takes the elements that share one block of the stream.
template <typename Value>
__global__ void write_kernel(uint16_t* weight, int64_t count, Stream stream, Value value) {
  constexpr int64_t kGroup = formulas::kRoundingsPerBlock;
  for (int64_t group = first_item(); group * kGroup < count; group += item_stride()) {
    const auto words = stream.present ? philox_block(static_cast<uint64_t>(group), stream.step, stream.key)
                                      : std::array<uint32_t, 4>{};
    for (int64_t slot = 0; slot < kGroup && group * kGroup + slot < count; ++slot) {
      const int64_t i = group * kGroup + slot;
      const float exact = value(i, weight[i]);
      weight[i] = stream.present ? formulas::round_stochastic(exact, formulas::rounding_bits(words, slot))
                                 : formulas::round_nearest(exact);
    }
  }
}

template <typename Value>
void write(at::Tensor& weight, const RandomStream* stochastic, const Value& value) {
  const int64_t count = weight.numel(), kGroup = formulas::kRoundingsPerBlock;
  launch_items(weight, (count + kGroup - 1) / kGroup, write_kernel<Value>,
               static_cast<uint16_t*>(weight.mutable_data_ptr()), count, Stream(stochastic), value);
}

__global__ void sum_squares_kernel(const float* values, int64_t count, int64_t piece, double* sums) {
  __shared__ double scratch[kThreads];
  for (int64_t p = blockIdx.x; p * piece < count; p += gridDim.x) {
    const int64_t end = (p + 1) * piece < count ? (p + 1) * piece : count;
    double sum = 0;
    for (int64_t i = p * piece + threadIdx.x; i < end; i += blockDim.x)
      sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    sum = over_block(sum, scratch, [](double a, double b) { return a + b; });
    if (threadIdx.x == 0) sums[p] = sum;
  }
}

}  // namespace

void apply_direction(const formulas::UpdateFactors& factors, const at::Tensor& direction, at::Tensor& weight,
                     const RandomStream* stochastic) {
  write(weight, stochastic, UpdatedWeight{factors, direction.const_data_ptr<float>()});
}

void round_into(const at::Tensor& source, at::Tensor& destination, const RandomStream* stochastic) {
  write(destination, stochastic, Source{source.const_data_ptr<float>()});
}

double sum_squares(const at::Tensor& tensor, int64_t piece) {
  const int64_t num_pieces = (tensor.numel() + piece - 1) / piece;
  const at::Tensor sums = at::empty({num_pieces}, tensor.options().dtype(at::kDouble));
  launch(tensor, num_pieces, sum_squares_kernel, tensor.const_data_ptr<float>(), tensor.numel(), piece,
         sums.mutable_data_ptr<double>());
  const at::Tensor on_cpu = sums.cpu();
  double total = 0;
  for (int64_t i = 0; i < num_pieces; ++i) total += on_cpu.const_data_ptr<double>()[i];
  return total;
}

}  // namespace galore::kernels::cuda
