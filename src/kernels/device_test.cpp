#include "kernels/device.h"

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "core/errors.h"
#include "kernels/cpu_features.h"

namespace galore {
namespace {

std::string message_of(const std::string& name) {
  try {
    device_of(name);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(DeviceOf, KnowsTheCpu) {
  EXPECT_EQ(device_of("cpu"), at::Device(at::kCPU));
  EXPECT_EQ(device_of("auto").is_cuda(), at::hasCUDA());
}

TEST(DeviceOf, RefusesNamesThatAreNone) {
  for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cuda0", "cuda:99999999999"}) {
    EXPECT_THROW(device_of(name), UsageError) << name;
  }
}

TEST(DeviceOf, SaysWhyThereIsNone) {
  if (!cuda::is_built()) {
    EXPECT_EQ(message_of("cuda"),
              "[device] this program was built without CUDA ('make cuda' builds one with it); given 'cuda'");
  } else if (!at::hasCUDA()) {
    EXPECT_EQ(message_of("cuda:1"),
              "[device] there is no CUDA device here, or its driver is missing or too old; given 'cuda:1'");
  } else {
    EXPECT_EQ(device_of("cuda"), at::Device(at::kCUDA, 0));
    EXPECT_NE(message_of("cuda:100").find("expected at most cuda:"), std::string::npos);
  }
}

TEST(HasFastBFloat16, DependsOnTheDeviceAskedFor) {
  EXPECT_TRUE(has_fast_bf16("cuda"));
  EXPECT_TRUE(has_fast_bf16("cuda:1"));
  EXPECT_EQ(has_fast_bf16("cpu"), has_fast_bf16());
  EXPECT_EQ(has_fast_bf16("auto"), at::hasCUDA() || has_fast_bf16());
}

TEST(MemoryInUse, SeesTheProcess) {
  const MemoryInUse memory = memory_in_use(at::kCPU);
  EXPECT_GT(memory.current, 1 << 20);
  EXPECT_GE(memory.peak, memory.current / 2);
  wait_for(at::kCPU);
}

}  // namespace
}  // namespace galore
