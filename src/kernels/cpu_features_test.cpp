#include "kernels/cpu_features.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/test_message.h"
#include "core/test_output.h"
#include "kernels/rms_norm.h"
#include "kernels/test_tensors.h"

namespace galore {
namespace {

// Runs a test of this program with an environment variable and returns the output.
std::string output_with(const std::string& assignment,
                        const std::string& test = "KernelLevel.HoldsTogether") {
  const std::string command = assignment + " '" + std::filesystem::read_symlink("/proc/self/exe").string() +
                              "' --gtest_filter=" + test + " 2>&1";
  return output_of(command);
}

TEST(KernelLevel, HoldsTogether) {
  const std::string level = kernel_level();
  std::printf("level: %s.\n", level.c_str());
  EXPECT_EQ(has_fast_bf16(), level.starts_with("avx512_bf16/"));
  if (prefers_onednn_fp32()) {
    EXPECT_TRUE(level.starts_with("avx512") && !contains(level, "/intel")) << level;
  }
  EXPECT_FALSE(contains(level, "highway-none")) << level;
  EXPECT_EQ(level.find(' '), std::string::npos) << level;
}

TEST(KernelLevel, IsHeldByTheEnvironment) {
  for (const std::string held : {"avx2", "avx512"}) {
    const std::string text = output_with("GALORE_MAX_CPU=" + held);
    EXPECT_TRUE(contains(text, "[  PASSED  ] 1 test")) << text;
    EXPECT_FALSE(contains(text, "level: avx512_bf16")) << text;
    if (held == "avx2") {
      EXPECT_FALSE(contains(text, "level: avx512") || contains(text, "highway-avx3")) << text;
    }
  }
  EXPECT_TRUE(contains(output_with(""), kernel_level() + ".\n"));
}

// Sums with other vectors are rounded differently, so equal bits show that the vectors stay the same.
TEST(KernelLevel, IsAskedForWithoutAChangeOfKernels) {
  const at::Tensor x = testing_tensors::random({64, 1000}, at::kFloat, 1), weight = at::ones({1000});
  const auto normalized = [&] {
    const at::Tensor out = at::empty_like(x);
    rms_norm(out, at::empty({64}), x, weight, 1e-6);
    return out;
  };
  const at::Tensor before = normalized();
  kernel_level();
  EXPECT_TRUE(at::equal(normalized(), before));
}

TEST(KernelLevel, StaysHeldAfterItWasAskedFor) {
  const std::string text =
      output_with("GALORE_MAX_CPU=avx2", "KernelLevel.IsAskedForWithoutAChangeOfKernels");
  EXPECT_TRUE(contains(text, "[  PASSED  ] 1 test")) << text;
}

TEST(KernelLevel, NamesTheVariablesOfTheLibraries) {
  const std::string text = output_with("MKL_ENABLE_INSTRUCTIONS=AVX2 ONEDNN_MAX_CPU_ISA=AVX2");
  EXPECT_TRUE(contains(text, "/mkl-avx2/onednn-avx2")) << text;
}

TEST(KernelLevel, RefusesALevelThatDoesNotExist) {
  const std::string text = output_with("GALORE_MAX_CPU=avx3");
  EXPECT_TRUE(contains(text, "[GALORE_MAX_CPU] expected avx2 or avx512, given 'avx3'")) << text;
}

}  // namespace
}  // namespace galore
