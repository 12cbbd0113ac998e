// The plan and the estimate of program and libraries against the peak resident memory that the kernel counts:
// runs of `galore bench` at 60m. allocations_test.cpp tests the plan alone.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/test_output.h"

namespace {

class PeakMemory : public testing::TestWithParam<const char*> {};

// An estimate that is too low starts runs that fail; one that is far too high refuses runs that fit. 64 MiB
// are half of the resident memory of a program that has loaded libtorch and computed nothing yet.
constexpr double kMostTooHigh = 64 << 20;

TEST_P(PeakMemory, IsBoundedByPlanAndProgram) {
  const std::string command =
      std::string(GALORE_PROGRAM) +
      " bench --model_size 60m --per_device_train_batch_size 2 --max_length 128 --threads 1"
      " --bench_steps 1 --device cpu --json " +
      GetParam();
  const auto result = nlohmann::json::parse(galore::output_of(command), nullptr, /*allow_exceptions=*/false);
  ASSERT_FALSE(result.is_discarded()) << command;
  const double peak = result["peak_memory_bytes"], planned = result["planned_bytes"],
               program = result["program_bytes"], libraries = result["library_bytes"];
  RecordProperty("estimate_minus_peak_mib", static_cast<int>((planned + program - peak) / (1 << 20)));
  EXPECT_GE(planned + program, peak) << "planned " << planned << ", program " << program;
  EXPECT_LE(planned + program, peak + kMostTooHigh) << "planned " << planned << ", program " << program;
  EXPECT_GT(libraries, 0);
  EXPECT_LT(libraries, program);
}

INSTANTIATE_TEST_SUITE_P(
    Presets, PeakMemory,
    testing::Values("--optim adamw_torch", "--optim adamw_8bit", "--optim adafactor", "--optim galore_adamw",
                    "--optim galore_adamw_8bit_layerwise",
                    "--optim galore_adamw_8bit_layerwise --bf16 true --gradient_checkpointing true",
                    "--optim q_galore_adamw_8bit_layerwise --bf16 true",
                    "--optim galore_adamw --optim_args subspace=svd"));

}  // namespace
