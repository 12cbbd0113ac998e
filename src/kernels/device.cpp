#include "kernels/device.h"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <charconv>

#include "core/errors.h"
#include "core/memory.h"
#include "kernels/cpu_features.h"

namespace galore {
namespace {

constexpr const char* kNames = "auto, cpu, cuda or cuda:N";

const c10::impl::DeviceGuardImplInterface& implementation(at::Device device) {
  return *c10::impl::getDeviceGuardImpl(device.type());
}

// Returns N for "cuda:N" and 0 for "cuda".
int index_of(const std::string& name) {
  const std::string prefix = "cuda";
  int index = 0;
  if (name == prefix) return index;
  const char* first = name.c_str() + prefix.size() + 1;
  const char* last = name.c_str() + name.size();
  if (!name.starts_with(prefix + ":") || *first == '-' ||
      std::from_chars(first, last, index) != std::from_chars_result{last, std::errc()})
    fail_usage("device", "expected {}, given '{}'", kNames, name);
  return index;
}

}  // namespace

at::Device device_of(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (name == "auto") return at::hasCUDA() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  const int index = index_of(name);
  if (!cuda::is_built())
    fail("device", "this program was built without CUDA ('make cuda' builds one with it); given '{}'", name);
  if (!at::hasCUDA())
    fail("device", "there is no CUDA device here, or its driver is missing or too old; given '{}'", name);
  const auto count = static_cast<int>(implementation(at::Device(at::kCUDA, 0)).deviceCount());
  if (index >= count) fail("device", "expected at most cuda:{}, given '{}'", count - 1, name);
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

bool has_fast_bf16(const std::string& name) {
  const bool on_cpu = name == "cpu" || (name == "auto" && !at::hasCUDA());
  return !on_cpu || has_fast_bf16();
}

void wait_for(at::Device device) {
  if (!device.is_cpu()) implementation(device).synchronizeDevice(device.index());
}

MemoryInUse memory_in_use(at::Device device) {
  if (device.is_cpu()) return {resident_bytes(), peak_resident_bytes()};
  using Statistics = c10::CachingDeviceAllocator::DeviceStats;
  const Statistics statistics = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
  const auto& allocated =
      statistics.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
  return {allocated.current, allocated.peak};
}

}  // namespace galore
