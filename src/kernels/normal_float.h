// NF4 with double quantization, for weights that are not trained (Dettmers et al. 2023, "QLoRA: efficient
// finetuning of quantized LLMs", arXiv 2305.14314, section 3), with the numbers and the layout of
// bitsandbytes.
//
// For groups of 64 consecutive elements of the flat tensor:
//   a    = largest |w| of the group
//   code = the nearest of 16 values to w / a
//   o    = the mean of all a;  s = largest |a - o| of 256 groups
//   byte = the nearest of the 256 values of the dynamic 8-bit map to (a - o) / s
//   w    ~ value[code] * (map[byte] * s + o)
// A tie goes to the lower code. All arithmetic is in fp32. The size is 1/2 + 1/64 + 1/4096 bytes for each
// element. A group with a number that is not finite makes every value NaN, so that it is noticed.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "core/group_quantized.h"
#include "kernels/blockwise_8bit.h"

namespace galore::kernels {

inline constexpr GroupFormat kNormalFloat{.bits = 4, .group_size = 64, .normal_float = true};
inline constexpr int64_t kGroupsPerScale = 256;

// Returns the 16 values, quantiles of the normal distribution.
const std::array<float, 16>& normal_float_values();
// Returns the 256 values of the map for scales. They differ from signed_code_book() in the last bit of some.
const CodeBook& dynamic_map();

// Encodes the elements from `first` on, a multiple of the group size, but for the scales: `largest` (fp32,
// one for each group of the whole tensor) gets their a. values: flat, contiguous, fp32 or bf16.
void encode_normal_float(const at::Tensor& values, int64_t first, const GroupQuantized& destination,
                         const at::Tensor& largest);
// Sets the scales from the a of all groups.
void encode_scales(const at::Tensor& largest, const GroupQuantized& destination);
// Decodes `out.numel()` elements from `first` on, an even number. out: contiguous, fp32 or bf16, rounded to
// nearest.
void decode_normal_float(const GroupQuantized& source, int64_t first, const at::Tensor& out);

// These functions compute the same by tensor operations.
namespace composed {
void encode_normal_float(const at::Tensor& values, int64_t first, const GroupQuantized& destination,
                         const at::Tensor& largest);
void decode_normal_float(const GroupQuantized& source, int64_t first, const at::Tensor& out);
}  // namespace composed

// The CPU versions on pointers; T is float or at::BFloat16.
namespace cpu {
struct RawNormalFloat {
  const uint8_t *codes, *scale_codes;
  const float* scales;
  float offset;
};
// `codes` and `largest` begin with the first element.
template <typename T>
void encode_normal_float(const T* values, int64_t count, uint8_t* codes, float* largest);
template <typename T>
void decode_normal_float(const RawNormalFloat& source, int64_t first, int64_t count, T* out);
}  // namespace cpu

}  // namespace galore::kernels
