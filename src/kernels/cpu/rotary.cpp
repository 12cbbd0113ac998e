#include <ATen/Parallel.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

#ifndef GALORE_ROTARY_ROW
#define GALORE_ROTARY_ROW
namespace galore::kernels::cpu {

struct RotaryRow {
  const float *cosine, *sine;
  float sign;
  size_t heads, features;  // of a head, including those that stay
  RotaryPairs pairs;
};

}  // namespace galore::kernels::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/rotary.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// Rotates neighbouring features of the heads of one token. Few models do so, and rotations cost little, so
// the compiler's code is enough.
template <typename T>
void rotate_neighbours(const RotaryRow& row, T* x, size_t half) {
  for (T* end = x + row.heads * row.features; x != end; x += row.features)
    for (size_t i = 0; i < half; ++i) {
      const float a = x[2 * i], b = x[2 * i + 1], c = row.cosine[i], s = row.sine[i] * row.sign;
      x[2 * i] = a * c - b * s;
      x[2 * i + 1] = b * c + a * s;
    }
}

// Rotates 2 * half features of each head of one token; sign -1 rotates back.
template <typename T>
void rotate_heads(const RotaryRow& row, T* x, size_t half) {
  if (row.pairs == RotaryPairs::neighbours) return rotate_neighbours(row, x, half);
  const FloatTag d;
  const Float direction = hn::Set(d, row.sign);
  for (T* end = x + row.heads * row.features; x != end; x += row.features) {
    for (size_t i = 0; i < half; i += hn::Lanes(d)) {
      const size_t left = half - i;
      const Float a = load_some(d, x + i, left), b = load_some(d, x + half + i, left);
      const Float c = load_some(d, row.cosine + i, left);
      const Float s = hn::Mul(load_some(d, row.sine + i, left), direction);
      store_some(d, hn::NegMulAdd(b, s, hn::Mul(a, c)), x + i, left);
      store_some(d, hn::MulAdd(a, s, hn::Mul(b, c)), x + half + i, left);
    }
  }
}

void rotate_f32(const RotaryRow& row, float* x, size_t half) { rotate_heads(row, x, half); }
void rotate_b16(const RotaryRow& row, c10::BFloat16* x, size_t half) { rotate_heads(row, x, half); }

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(rotate_f32);
HWY_EXPORT(rotate_b16);

namespace {

void call(const RotaryRow& row, float* x, size_t half) { HWY_DYNAMIC_DISPATCH(rotate_f32)(row, x, half); }
void call(const RotaryRow& row, at::BFloat16* x, size_t half) {
  HWY_DYNAMIC_DISPATCH(rotate_b16)(row, x, half);
}

}  // namespace

bool rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse,
            const at::Tensor& positions, RotaryPairs pairs) {
  const int64_t* position = positions.defined() ? data<int64_t>(positions) : nullptr;
  return with_element(x, [&](auto* element) {
    using T = Element<decltype(element)>;
    const int64_t length = x.size(1), heads = x.size(2), half = cosine.size(1);
    const auto features = static_cast<size_t>(x.size(3));
    at::parallel_for(0, x.size(0) * length, 32, [&](int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; ++token) {
        const int64_t table_row = (position ? position[token] : token % length) * half;
        const RotaryRow row{data<float>(cosine) + table_row,
                            data<float>(sine) + table_row,
                            inverse ? -1.0f : 1.0f,
                            static_cast<size_t>(heads),
                            features,
                            pairs};
        call(row, data<T>(x) + token * heads * x.size(3), static_cast<size_t>(half));
      }
    });
  });
}

}  // namespace galore::kernels::cpu
#endif
