// What every kernel launch needs: the tensor's device and stream, a grid, and a check that it was accepted.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <cstdint>

namespace galore::kernels::cuda {

inline constexpr int kThreads = 256;
// Thread blocks take further pieces of work in turn: more than this many at once fill no device better (132
// multiprocessors of an H100 hold 8 blocks of 256 threads each).
inline constexpr int64_t kMostBlocks = 4096;

// kernel(arguments...) on the device and the current stream of `tensor`, with `num_pieces` pieces of work of
// one thread block each.
template <typename... Parameters, typename... Arguments>
void launch(const at::Tensor& tensor, int64_t num_pieces, void (*kernel)(Parameters...),
            Arguments... arguments) {
  if (num_pieces == 0) return;
  const c10::cuda::CUDAGuard guard(tensor.device());
  const auto blocks = static_cast<unsigned>(std::min(num_pieces, kMostBlocks));
  kernel<<<blocks, kThreads, 0, c10::cuda::getCurrentCUDAStream()>>>(arguments...);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

// As launch, for kernels whose threads take one of `count` items at a time.
template <typename... Parameters, typename... Arguments>
void launch_items(const at::Tensor& tensor, int64_t count, void (*kernel)(Parameters...),
                  Arguments... arguments) {
  launch(tensor, (count + kThreads - 1) / kThreads, kernel, arguments...);
}

// The calling thread's items: for (i = first_item(); i < count; i += item_stride()).
__device__ inline int64_t first_item() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline int64_t item_stride() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

// combine(...) over the values of all threads of a block, in a fixed order; every thread gets the result.
// `scratch`: shared, kThreads elements.
template <typename T, typename Combine>
__device__ T over_block(T value, T* scratch, const Combine& combine) {
  scratch[threadIdx.x] = value;
  __syncthreads();
  for (unsigned width = kThreads / 2; width > 0; width /= 2) {
    if (threadIdx.x < width)
      scratch[threadIdx.x] = combine(scratch[threadIdx.x], scratch[threadIdx.x + width]);
    __syncthreads();
  }
  const T result = scratch[0];
  __syncthreads();
  return result;
}

}  // namespace galore::kernels::cuda
