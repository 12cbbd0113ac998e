#pragma once

#include <ATen/Parallel.h>

#include <ctime>

namespace galore::bench {

// Returns seconds. With one thread it is processor time, so that other programs on the machine matter less.
inline double now() {
  timespec time{};
  clock_gettime(at::get_num_threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

}  // namespace galore::bench
