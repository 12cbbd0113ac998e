// What the forward and the backward pass of attention share; included once per instruction set.
#if defined(GALORE_ATTENTION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALORE_ATTENTION_INL_H
#undef GALORE_ATTENTION_INL_H
#else
#define GALORE_ATTENTION_INL_H
#endif

#include "kernels/cpu/attention_tasks.h"
#include "kernels/cpu/dropout-inl.h"
#include "kernels/cpu/exponential-inl.h"
#include "kernels/cpu/tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

constexpr float kHidden = -1e30f;  // replaces minus infinity, without its special cases

// The dropout of one query head's weights.
struct HeadDropout {
  const TaskDropout* task;  // null: none
  size_t head, length;
};

template <typename T>
HeadDropout dropout_of(const AttentionTask<T>& task, size_t head) {
  return {task.dropout ? &*task.dropout : nullptr, head, task.length};
}

// Multiplies the pair's rows of a square of weights, or of their gradients, by the dropout factors.
HWY_INLINE void drop_square(float* square, const HeadDropout& dropout, const BlockPair& pair) {
  if (!dropout.task) return;
  const FloatTag d;
  HWY_ALIGN float factors[kBlock];
  const size_t first = pair.queries * kBlock;
  for (size_t row = pair.first_row; row < pair.end_row && first + row < dropout.length; ++row) {
    const uint64_t segment = dropout.task->segment(dropout.head, first + row, pair.keys);
    dropout_factors(factors, dropout.task->stream, segment, dropout.task->scale);
    float* values = square + row * kBlock;
    for (size_t k = 0; k < kBlock; k += hn::Lanes(d))
      hn::StoreU(hn::Mul(hn::LoadU(d, values + k), hn::LoadU(d, factors + k)), d, values + k);
  }
}

// Overwrites the scores outside `visible` in a row of a block, so that their exponentials are 0.
HWY_INLINE void hide_scores(float* scores, const Span& visible) {
  std::fill(scores, scores + visible.begin, kHidden);
  for (size_t i = visible.end; i < kBlock; ++i) scores[i] = kHidden;
}

// Replaces the scores of a row of a block by cap tanh(score / cap). NaN stays NaN.
HWY_INLINE void cap_scores(float* scores, float cap) {
  const FloatTag d;
  const Float limit = hn::Set(d, cap), inverse = hn::Set(d, 1 / cap);
  for (size_t i = 0; i < kBlock; i += hn::Lanes(d)) {
    const Float share = hn::Mul(hn::LoadU(d, scores + i), inverse);
    const Float tangent = hn::IfThenElse(hn::IsNaN(share), share, hn::Tanh(d, share));
    hn::StoreU(hn::Mul(tangent, limit), d, scores + i);
  }
}

// Turns the gradients of capped scores into those of the scores before.
HWY_INLINE void uncap_gradients(float* gradients, const float* capped, float cap) {
  const FloatTag d;
  const Float inverse = hn::Set(d, 1 / cap), one = hn::Set(d, 1.0f);
  for (size_t i = 0; i < kBlock; i += hn::Lanes(d)) {
    const Float share = hn::Mul(hn::LoadU(d, capped + i), inverse);
    const Float slope = hn::NegMulAdd(share, share, one);
    hn::StoreU(hn::Mul(hn::LoadU(d, gradients + i), slope), d, gradients + i);
  }
}

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
