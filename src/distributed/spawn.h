// Starts the processes of nproc_per_node.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace galore {

// Starts this program `count` times with the same arguments and the variables of torchrun, and waits for all
// of them. This process keeps their store. If one fails, the others get some seconds to end by themselves
// before they are ended. Signals that ask for an end are passed on. Returns the exit status of the first
// process that failed (128 + n after signal n), or 0.
int run_processes(int64_t count, const std::vector<std::string>& arguments);

}  // namespace galore
