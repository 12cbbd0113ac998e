// The smallest number of elements that an elementwise kernel gives to one thread. With fewer, waking the
// thread costs more than the work.
#pragma once

#include <cstdint>

namespace galore::kernels::cpu {
inline constexpr int64_t kElementwiseGrain = 16384;
}
