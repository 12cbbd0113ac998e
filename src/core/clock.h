// The clock for measuring durations.
#pragma once

#include <chrono>

namespace galore {

// Returns the seconds since an arbitrary moment; they never decrease.
inline double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace galore
