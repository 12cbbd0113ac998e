// The exponential of a vector. This file is included once per instruction set.
#if defined(GALORE_EXPONENTIAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GALORE_EXPONENTIAL_INL_H
#undef GALORE_EXPONENTIAL_INL_H
#else
#define GALORE_EXPONENTIAL_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

// Valid for x up to about 104. Highway returns 0 for NaN; here NaN stays NaN, so that a broken model is
// noticed.
HWY_INLINE Float exponential(FloatTag d, Float x) { return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x)); }

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
