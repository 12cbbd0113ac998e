#include <ATen/Parallel.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convert.cpp"
#include <hwy/foreach_target.h>

#include "kernels/cpu/vector_io-inl.h"

HWY_BEFORE_NAMESPACE();
namespace galore::kernels::cpu::HWY_NAMESPACE {

template <typename To, typename From>
void convert_range(To* out, const From* in, int64_t count) {
  const FloatTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < count; i += lanes) {
    const auto left = static_cast<size_t>(count - i);
    store_some(d, load_some(d, in + i, left), out + i, left);
  }
}

void narrow(c10::BFloat16* out, const float* in, int64_t count) { convert_range(out, in, count); }
void widen(float* out, const c10::BFloat16* in, int64_t count) { convert_range(out, in, count); }

}  // namespace galore::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace galore::kernels::cpu {
HWY_EXPORT(narrow);
HWY_EXPORT(widen);

namespace {

constexpr int64_t kGrain = 1 << 15;

void call(at::BFloat16* out, const float* in, int64_t count) { HWY_DYNAMIC_DISPATCH(narrow)(out, in, count); }
void call(float* out, const at::BFloat16* in, int64_t count) { HWY_DYNAMIC_DISPATCH(widen)(out, in, count); }
template <typename T>
void call(T* out, const T* in, int64_t count) {
  std::memcpy(static_cast<void*>(out), in, static_cast<size_t>(count) * sizeof(T));
}

}  // namespace

bool convert(const at::Tensor& out, const at::Tensor& in) {
  bool done = false;
  with_element(out, [&](auto* to) {
    done = with_element(in, [&](auto* from) {
      auto* target = data<Element<decltype(to)>>(out);
      const auto* source = data<Element<decltype(from)>>(in);
      at::parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
        call(target + begin, source + begin, end - begin);
      });
    });
  });
  return done;
}

}  // namespace galore::kernels::cpu
#endif
