// How much memory a process may come to hold, before it asks for any.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace galore {

struct MemoryAtHand {
  int64_t bytes = 0;   // that this process may hold in all, with what it holds already
  int64_t held = 0;    // that it holds already
  std::string source;  // what sets the limit, for messages
};

// Of the host: the least of physical memory, the limits of this process's cgroups (versions 1 and 2) and
// ulimit -v and -d. Swap does not count; the page cache counts as free. `threads` that will compute take
// address space besides. What the process has freed goes back to the system first. `root` is the folder that
// holds proc/ and the mounted cgroups.
MemoryAtHand host_memory_at_hand(int threads, const std::string& root = "");
// Of the device: for the CPU the host's, elsewhere what is free there.
MemoryAtHand memory_at_hand(at::Device device);

}  // namespace galore
