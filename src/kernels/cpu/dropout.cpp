#include <ATen/Parallel.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

// The blocks of a segment must fill vectors, and vectors may be too large for that on SVE and RISC-V.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/dropout.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/dropout-inl.h"
#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// Processes at most one segment.
template <typename T>
HWY_INLINE void drop_segment(T* out, const T* x, const float* factors, size_t count, bool accumulate) {
  const FloatTag d;
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const Float kept = hn::Mul(load_some(d, x + i, count - i), hn::LoadU(d, factors + i));
    store_some(d, accumulate ? hn::Add(load_some(d, out + i, count - i), kept) : kept, out + i, count - i);
  }
}

template <typename T>
void drop(T* out, const T* x, size_t count, const RandomStream& stream, uint64_t segment,
          const DropoutScale& scale, bool accumulate) {
  HWY_ALIGN float factors[kDropoutSegment];
  for (size_t i = 0; i < count; i += kDropoutSegment, ++segment) {
    dropout_factors(factors, stream, segment, scale);
    drop_segment(out + i, x + i, factors, std::min<size_t>(count - i, kDropoutSegment), accumulate);
  }
}

void drop_f32(float* out, const float* x, size_t count, const RandomStream& stream, uint64_t segment,
              const DropoutScale& scale, bool accumulate) {
  drop(out, x, count, stream, segment, scale, accumulate);
}
void drop_b16(c10::BFloat16* out, const c10::BFloat16* x, size_t count, const RandomStream& stream,
              uint64_t segment, const DropoutScale& scale, bool accumulate) {
  drop(out, x, count, stream, segment, scale, accumulate);
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(drop_f32);
HWY_EXPORT(drop_b16);

namespace {

// The number of segments that a thread takes at once.
constexpr int64_t kPieceSegments = 64;

template <typename... Rest>
void call(float* out, const float* x, Rest... rest) {
  HWY_DYNAMIC_DISPATCH(drop_f32)(out, x, rest...);
}
template <typename... Rest>
void call(at::BFloat16* out, const at::BFloat16* x, Rest... rest) {
  HWY_DYNAMIC_DISPATCH(drop_b16)(out, x, rest...);
}

}  // namespace

bool dropout(const at::Tensor& out, const at::Tensor& x, const DropoutMask& mask, int64_t first_row,
             Write write) {
  const int64_t elements = x.size(1), segments = dropout_segments(elements);
  const int64_t pieces = (segments + kPieceSegments - 1) / kPieceSegments;
  const DropoutScale scale = dropout_scale(mask.probability);
  return with_element(x, [&](auto* element) {
    using T = Element<decltype(element)>;
    at::parallel_for(0, x.size(0) * pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t row = piece / pieces, segment = piece % pieces * kPieceSegments;
        const int64_t first = segment * kDropoutSegment;
        const int64_t count = std::min(elements - first, kPieceSegments * kDropoutSegment);
        call(data<T>(out) + row * elements + first, data<T>(x) + row * elements + first,
             static_cast<size_t>(count), mask.stream,
             static_cast<uint64_t>((first_row + row) * segments + segment), scale,
             write == Write::accumulate);
      }
    });
  });
}

}  // namespace galore::kernels::cpu
#endif
