// Finds how much memory this process can use before it allocates any.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace galore {

struct MemoryAtHand {
  int64_t bytes = 0;   // the bytes that this process may hold in total, including `held`
  int64_t held = 0;    // the bytes that it holds already
  std::string source;  // names the source of the limit in messages
};

// Returns the memory limit of the host: the smallest of the physical memory that is available, the limits of
// this process's cgroups (versions 1 and 2), ulimit -v and ulimit -d. Swap is not counted, and the page cache
// counts as free. The address space that `threads` compute threads will need is subtracted from the ulimits.
// Memory that the process has freed is returned to the system first. `root` is the folder that holds proc/
// and the mounted cgroups.
MemoryAtHand host_memory_at_hand(int threads, const std::string& root = "");
// Returns the memory limit of a device: the host's for the CPU, and the free memory of any other device.
MemoryAtHand memory_at_hand(at::Device device);

}  // namespace galore
