#include "kernels/cpu_features.h"

namespace galore {

#if defined(__x86_64__)
bool has_fast_bf16() { return __builtin_cpu_supports("avx512bf16") != 0; }

bool prefers_onednn_fp32() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_is("intel") == 0;
}
#else
bool has_fast_bf16() { return false; }
bool prefers_onednn_fp32() { return false; }
#endif

}  // namespace galore
