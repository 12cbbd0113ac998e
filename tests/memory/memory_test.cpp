// Compares the memory plan with the memory of a real process: a run of `galore bench` at 60m and its peak
// resident memory as the kernel counts it.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace {

std::string output_of(const std::string& command) {
  std::string text;
  std::array<char, 4096> buffer{};
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return text;
  for (size_t count = 0; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    text.append(buffer.data(), count);
  ::pclose(pipe);
  return text;
}

class MemoryPlan : public testing::TestWithParam<const char*> {};

TEST_P(MemoryPlan, IsWithinThreePercentOfThePeak) {
  const std::string command =
      std::string(GALORE_PROGRAM) +
      " bench --model_size 60m --per_device_train_batch_size 2 --max_length 128 --threads 1"
      " --bench_steps 1 --device cpu --json " +
      GetParam();
  const auto result = nlohmann::json::parse(output_of(command), nullptr, /*allow_exceptions=*/false);
  ASSERT_FALSE(result.is_discarded()) << command;
  const double peak = result["peak_memory_bytes"], planned = result["planned_bytes"],
               program = result["program_bytes"];
  RecordProperty("peak_minus_planned_mib", static_cast<int>((peak - planned) / (1 << 20)));
  EXPECT_LE(std::abs(peak / (planned + program) - 1), 0.03)
      << "peak " << peak << ", planned " << planned << ", program " << program;
}

INSTANTIATE_TEST_SUITE_P(
    Presets, MemoryPlan,
    testing::Values("--optim adamw_torch", "--optim adamw_8bit", "--optim adafactor", "--optim galore_adamw",
                    "--optim galore_adamw_8bit_layerwise",
                    "--optim galore_adamw_8bit_layerwise --bf16 true --gradient_checkpointing true",
                    "--optim q_galore_adamw_8bit_layerwise --bf16 true",
                    "--optim galore_adamw --optim_args subspace=svd"));

}  // namespace
