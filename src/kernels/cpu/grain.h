// How many elements an elementwise kernel gives one thread at least: below it, waking a thread costs more.
#pragma once

#include <cstdint>

namespace galore::kernels::cpu {
inline constexpr int64_t kElementwiseGrain = 16384;
}
