// Small fp32 matrix products and packing for attention. This file is included once per instruction set. All
// matrices are row-major with sizes that are multiples of kBlock.
#if defined(GALORE_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALORE_TILES_INL_H
#undef GALORE_TILES_INL_H
#else
#define GALORE_TILES_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/cpu/attention_tasks.h"
#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// A matrix or its transpose: element (i, k) is data[i * row + k * column].
struct Left {
  const float* data;
  size_t row, column;
};
struct Right {
  const float* data;
  size_t stride;
};
struct Target {
  float* data;
  size_t stride;
};
struct Extent {
  size_t rows, columns, depth;
};

struct Quad {
  Float v0, v1, v2, v3;
};
HWY_INLINE Quad load_quad(FloatTag d, const float* p) {
  const size_t lanes = hn::Lanes(d);
  return {hn::LoadU(d, p), hn::LoadU(d, p + lanes), hn::LoadU(d, p + 2 * lanes), hn::LoadU(d, p + 3 * lanes)};
}
HWY_INLINE void store_quad(FloatTag d, const Quad& q, float* p) {
  const size_t lanes = hn::Lanes(d);
  hn::StoreU(q.v0, d, p);
  hn::StoreU(q.v1, d, p + lanes);
  hn::StoreU(q.v2, d, p + 2 * lanes);
  hn::StoreU(q.v3, d, p + 3 * lanes);
}
HWY_INLINE void add_scaled(Quad& sum, Float factor, const Quad& q) {
  sum.v0 = hn::MulAdd(factor, q.v0, sum.v0);
  sum.v1 = hn::MulAdd(factor, q.v1, sum.v1);
  sum.v2 = hn::MulAdd(factor, q.v2, sum.v2);
  sum.v3 = hn::MulAdd(factor, q.v3, sum.v3);
}

// Computes four rows by four vectors of c += a b, held in registers over the whole depth.
HWY_INLINE void add_tile(const Left& a, const Right& b, const Target& c, size_t depth) {
  const FloatTag d;
  Quad r0 = load_quad(d, c.data), r1 = load_quad(d, c.data + c.stride);
  Quad r2 = load_quad(d, c.data + 2 * c.stride), r3 = load_quad(d, c.data + 3 * c.stride);
  const float* left = a.data;
  for (size_t k = 0; k < depth; ++k, left += a.column) {
    const Quad right = load_quad(d, b.data + k * b.stride);
    add_scaled(r0, hn::Set(d, left[0]), right);
    add_scaled(r1, hn::Set(d, left[a.row]), right);
    add_scaled(r2, hn::Set(d, left[2 * a.row]), right);
    add_scaled(r3, hn::Set(d, left[3 * a.row]), right);
  }
  store_quad(d, r0, c.data);
  store_quad(d, r1, c.data + c.stride);
  store_quad(d, r2, c.data + 2 * c.stride);
  store_quad(d, r3, c.data + 3 * c.stride);
}

// Computes c += a b.
HWY_INLINE void add_matrix_product(const Target& c, const Left& a, const Right& b, const Extent& extent) {
  const size_t width = 4 * hn::Lanes(FloatTag());
  for (size_t column = 0; column < extent.columns; column += width) {
    for (size_t row = 0; row < extent.rows; row += 4) {
      add_tile({a.data + row * a.row, a.row, a.column}, {b.data + column, b.stride},
               {c.data + row * c.stride + column, c.stride}, extent.depth);
    }
  }
}

// Packs a head as padded(T) x padded(D), multiplied by `factor`; the padding is zero.
template <typename T>
void pack(float* out, const Head<T>& head, size_t length, size_t dim, float factor) {
  const FloatTag d;
  const Float scale = hn::Set(d, factor);
  const size_t width = padded(dim);
  std::memset(out, 0, padded(length) * width * sizeof(float));
  for (size_t t = 0; t < length; ++t) {
    for (size_t i = 0; i < dim; i += hn::Lanes(d)) {
      const Float value = load_some(d, head.data + t * head.stride + i, dim - i);
      store_some(d, hn::Mul(value, scale), out + t * width + i, dim - i);
    }
  }
}

// Packs block j of kBlock positions as padded(D) x kBlock, one block after the other, for the right side of a
// product with the positions as columns.
template <typename T>
void pack_transposed(float* out, const Head<T>& head, size_t length, size_t dim) {
  const size_t width = padded(dim);
  std::memset(out, 0, padded(length) * width * sizeof(float));
  for (size_t t = 0; t < length; ++t) {
    const T* from = head.data + t * head.stride;
    float* to = out + t / kBlock * kBlock * width + t % kBlock;
    for (size_t i = 0; i < dim; ++i) to[i * kBlock] = static_cast<float>(from[i]);
  }
}

// Writes the first T rows of packed values, multiplied by `factor`, into the head.
template <typename T>
void unpack(const Head<T>& head, const float* packed, size_t length, size_t dim, float factor) {
  const FloatTag d;
  const Float scale = hn::Set(d, factor);
  for (size_t t = 0; t < length; ++t) {
    for (size_t i = 0; i < dim; i += hn::Lanes(d)) {
      const Float value = hn::Mul(load_some(d, packed + t * padded(dim) + i, dim - i), scale);
      store_some(d, value, head.data + t * head.stride + i, dim - i);
    }
  }
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
