// The device of a run: its choice by name, its memory, and waiting for it.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace galore {

// Returns the device for auto (cuda:0 if there is one, otherwise cpu), cpu, cuda or cuda:N. A device that
// does not exist is an Error.
at::Device device_of(const std::string& name);

// Returns true when bf16 matrix products are faster than fp32 ones on the device of this name. The device
// need not exist here, because a plan may be made for another machine.
bool has_fast_bf16(const std::string& name);

// Waits until all work that was given to the device is done. The CPU needs no waiting.
void wait_for(at::Device device);

// The bytes in use: the process's resident memory on the CPU, the memory of its tensors on another device.
struct MemoryInUse {
  int64_t current, peak;
};
MemoryInUse memory_in_use(at::Device device);

namespace cuda {
// Returns true when this program has kernels for CUDA, whether or not there is a device.
bool is_built();
}  // namespace cuda

}  // namespace galore
