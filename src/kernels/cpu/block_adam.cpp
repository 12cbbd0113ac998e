// Highway compiles this file once per instruction set and chooses the best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/block_adam.cpp"
#include "hwy/foreach_target.h"
// Highway requires this include after foreach_target.h.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "hwy/highway.h"
#include "kernels/block_adam.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Element j of as many blocks as a vector has lanes, for every j. Blocks of 1, 2 and 4 use registers.
template <int kBlock>
struct Elements {
  Elements(FloatTag d, const float* from, int64_t) {
    if constexpr (kBlock == 1) x[0] = hn::LoadU(d, from);
    if constexpr (kBlock == 2) hn::LoadInterleaved2(d, from, x[0], x[1]);
    if constexpr (kBlock == 4) hn::LoadInterleaved4(d, from, x[0], x[1], x[2], x[3]);
  }
  static constexpr int64_t count() { return kBlock; }
  Float get(int64_t j) const { return x[j]; }
  void set(int64_t j, Float value) { x[j] = value; }
  void store(FloatTag d, float* to) const {
    if constexpr (kBlock == 1) hn::StoreU(x[0], d, to);
    if constexpr (kBlock == 2) hn::StoreInterleaved2(x[0], x[1], d, to);
    if constexpr (kBlock == 4) hn::StoreInterleaved4(x[0], x[1], x[2], x[3], d, to);
  }
  Float x[kBlock];
};

// Blocks of any size use memory; each lane is one block away from the next.
template <>
struct Elements<0> {
  using IndexTag = hn::RebindToSigned<FloatTag>;
  Elements(FloatTag, float* data, int64_t block)
      : data(data),
        block(block),
        index(hn::Mul(hn::Iota(IndexTag(), 0), hn::Set(IndexTag(), static_cast<int32_t>(block)))) {}
  int64_t count() const { return block; }
  Float get(int64_t j) const { return hn::GatherIndex(FloatTag(), data + j, index); }
  void set(int64_t j, Float value) { hn::ScatterIndex(value, FloatTag(), data + j, index); }
  void store(FloatTag, float*) const {}
  float* data;
  int64_t block;
  hn::Vec<IndexTag> index;
};

HWY_INLINE Float averaged(FloatTag d, float* state, double beta, Float value) {
  const Float old = hn::Mul(hn::Set(d, static_cast<float>(beta)), hn::LoadU(d, state));
  const Float now = hn::MulAdd(hn::Set(d, static_cast<float>(1 - beta)), value, old);
  hn::StoreU(now, d, state);
  return now;
}

// run() updates the averages of one vector of blocks and replaces elements by directions. It returns each
// block's contribution to the norm of its row.
struct Folded {
  template <class Block>
  static HWY_INLINE Float run(FloatTag d, const BlockAdam& step, Block& block, float* m, float* v) {
    Float sum = hn::Zero(d), squares = hn::Zero(d);
    for (int64_t j = 0; j < block.count(); ++j) {
      sum = hn::Add(sum, block.get(j));
      squares = hn::MulAdd(block.get(j), block.get(j), squares);
    }
    const Float share = hn::Set(d, 1 / static_cast<float>(step.block)), mean = hn::Mul(sum, share);
    const Float m_new = averaged(d, m, step.adam.beta1, mean);
    const Float v_new = averaged(d, v, step.adam.beta2, hn::Mul(squares, share));
    const Float residual = hn::Set(d, step.residual), epsilon = hn::Set(d, step.adam.epsilon);
    const Float factor = hn::Set(d, step.scale * step.adam.correction);
    for (int64_t j = 0; j < block.count(); ++j) {
      const Float rest = hn::Mul(residual, hn::Sub(block.get(j), mean));
      const Float root = hn::Add(hn::Sqrt(hn::MulAdd(rest, rest, v_new)), epsilon);
      block.set(j, hn::Mul(factor, hn::Div(hn::Add(m_new, rest), root)));
    }
    return hn::Zero(d);
  }
};

struct Haar {
  template <class Block>
  static HWY_INLINE Float run(FloatTag d, const BlockAdam& step, Block& block, float* m, float* v) {
    Float sum = hn::Zero(d);
    for (int64_t j = 0; j < block.count(); ++j) sum = hn::Add(sum, block.get(j));
    const float root = std::sqrt(static_cast<float>(step.block));
    const Float share = hn::Set(d, 1 / root), approximation = hn::Mul(sum, share);
    const Float m_new = averaged(d, m, step.adam.beta1, approximation);
    const Float v_new = averaged(d, v, step.adam.beta2, hn::Mul(approximation, approximation));
    const Float below = hn::Add(hn::Sqrt(v_new), hn::Set(d, step.adam.epsilon));
    const Float factor = hn::Div(hn::Set(d, step.scale * step.adam.correction), below);
    const Float moved = hn::Mul(share, hn::Sub(m_new, approximation));
    for (int64_t j = 0; j < block.count(); ++j) block.set(j, hn::Mul(factor, hn::Add(block.get(j), moved)));
    return hn::Div(m_new, below);
  }
};

// Processes one vector of blocks.
template <class Method, int kBlock>
HWY_INLINE Float blocks(const BlockAdam& step, float* gradient, float* m, float* v) {
  const FloatTag d;
  Elements<kBlock> elements(d, gradient, step.block);
  const Float wanted = Method::run(d, step, elements, m, v);
  elements.store(d, gradient);
  return wanted;
}

// Processes the remainder of a row, padded with zeros.
template <class Method, int kBlock>
Float last_blocks(const BlockAdam& step, float* gradient, int64_t count, float* m, float* v) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  const int64_t left = num_blocks(count, step.block);
  std::vector<float> buffer(static_cast<size_t>(lanes * step.block));
  float m_buffer[HWY_LANES(float)] = {}, v_buffer[HWY_LANES(float)] = {};
  std::copy_n(gradient, count, buffer.data());
  std::copy_n(m, left, m_buffer);
  std::copy_n(v, left, v_buffer);
  const Float wanted = blocks<Method, kBlock>(step, buffer.data(), m_buffer, v_buffer);
  std::copy_n(buffer.data(), count, gradient);
  std::copy_n(m_buffer, left, m);
  std::copy_n(v_buffer, left, v);
  return hn::IfThenElseZero(hn::FirstN(FloatTag(), static_cast<size_t>(left)), wanted);
}

template <class Method, int kBlock>
void rows(const BlockAdam& step, const BlockAdamTask& task, int64_t begin, int64_t end) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t per_row = num_blocks(task.columns, step.block), whole = task.columns / step.block;
  for (int64_t row = begin; row < end; ++row) {
    float* gradient = task.gradient + row * task.columns;
    float *m = task.m + row * per_row, *v = task.v + row * per_row;
    Float squares = hn::Zero(d);
    int64_t i = 0;
    for (; i + lanes <= whole; i += lanes) {
      const Float wanted = blocks<Method, kBlock>(step, gradient + i * step.block, m + i, v + i);
      squares = hn::MulAdd(wanted, wanted, squares);
    }
    if (i < per_row) {
      const int64_t left = task.columns - i * step.block;
      const Float wanted = last_blocks<Method, kBlock>(step, gradient + i * step.block, left, m + i, v + i);
      squares = hn::MulAdd(wanted, wanted, squares);
    }
    if (task.squares) task.squares[row] = hn::GetLane(hn::SumOfLanes(d, squares));
  }
}

template <class Method>
void rows_of(const BlockAdam& step, const BlockAdamTask& task, int64_t begin, int64_t end) {
  if (step.block == 1) return rows<Method, 1>(step, task, begin, end);
  if (step.block == 2) return rows<Method, 2>(step, task, begin, end);
  if (step.block == 4) return rows<Method, 4>(step, task, begin, end);
  rows<Method, 0>(step, task, begin, end);
}

void folded_rows(const BlockAdam& step, const BlockAdamTask& task, int64_t begin, int64_t end) {
  rows_of<Folded>(step, task, begin, end);
}
void haar_rows(const BlockAdam& step, const BlockAdamTask& task, int64_t begin, int64_t end) {
  rows_of<Haar>(step, task, begin, end);
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(folded_rows);
HWY_EXPORT(haar_rows);

namespace {

int64_t grain_of(const BlockAdamTask& task) {
  return std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(1, task.columns));
}

}  // namespace

void folded_adam_direction(const BlockAdam& step, const BlockAdamTask& task) {
  at::parallel_for(0, task.rows, grain_of(task), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(folded_rows)(step, task, begin, end);
  });
}

double haar_adam_direction(const BlockAdam& step, const BlockAdamTask& task) {
  std::vector<double> squares(static_cast<size_t>(task.rows));
  BlockAdamTask summed = task;
  summed.squares = squares.data();
  at::parallel_for(0, task.rows, grain_of(task), [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(haar_rows)(step, summed, begin, end);
  });
  return std::accumulate(squares.begin(), squares.end(), 0.0);
}

}  // namespace galore::kernels::cpu
#endif
