// The device a run is on: its choice by name, its memory, and waiting for it.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace galore {

// auto (cuda:0 where there is one, else cpu), cpu, cuda or cuda:N. A device that is not there is an Error.
at::Device device_of(const std::string& name);

// Whether bf16 matrix products are faster than fp32 ones on the device of this name, which need not be here:
// a plan may be made for another machine.
bool has_fast_bf16(const std::string& name);

// Returns when everything that was given to the device is done. Nothing to wait for on the CPU.
void wait_for(at::Device device);

// Bytes in use: of the process (resident) on the CPU, of the device's tensors elsewhere.
struct MemoryInUse {
  int64_t current, peak;
};
MemoryInUse memory_in_use(at::Device device);

namespace cuda {
// Whether this program has kernels for CUDA; says nothing about a device.
bool is_built();
}  // namespace cuda

}  // namespace galore
