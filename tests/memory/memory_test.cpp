// The plan and the estimate of program and libraries against the peak resident memory that the kernel counts:
// runs of `galore bench` at 60m and with wide layers. allocations_test.cpp tests the plan alone.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/files.h"
#include "core/test_folder.h"
#include "core/test_output.h"

namespace {

nlohmann::json bench(const std::string& arguments) {
  const std::string command =
      std::string(GALORE_PROGRAM) + " bench --threads 1 --bench_steps 1 --device cpu --json " + arguments;
  const auto result = nlohmann::json::parse(galore::output_of(command), nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(result.is_discarded()) << command;
  return result;
}

class PeakMemory : public testing::TestWithParam<const char*> {};

// An estimate that is too low starts runs that fail; one that is far too high refuses runs that fit. 64 MiB
// are half of the resident memory of a program that has loaded libtorch and computed nothing yet.
constexpr double kMostTooHigh = 64 << 20;

TEST_P(PeakMemory, IsBoundedByPlanAndProgram) {
  const auto result =
      bench(std::string("--model_size 60m --per_device_train_batch_size 2 --max_length 128 ") + GetParam());
  ASSERT_TRUE(result.is_object());
  const double peak = result["peak_memory_bytes"], planned = result["planned_bytes"],
               program = result["program_bytes"], libraries = result["library_bytes"];
  RecordProperty("estimate_minus_peak_mib", static_cast<int>((planned + program - peak) / (1 << 20)));
  EXPECT_GE(planned + program, peak) << "planned " << planned << ", program " << program;
  EXPECT_LE(planned + program, peak + kMostTooHigh) << "planned " << planned << ", program " << program;
  EXPECT_GT(libraries, 0);
  EXPECT_LT(libraries, program);
}

// Temporaries of a search and of an update must go back to the system: kept in the heap, they would add to
// the peak with every matrix that is refreshed. 3 % are for pages that libraries bring in with the first
// update.
TEST(PeakMemory, FirstRefreshesOfWideLayersStayInThePlan) {
  const galore::TestFolder folder;
  const nlohmann::json config = {
      {"model_type", "llama"},  {"hidden_size", 1536},           {"intermediate_size", 4096},
      {"num_hidden_layers", 2}, {"num_attention_heads", 12},     {"num_key_value_heads", 12},
      {"vocab_size", 256},      {"max_position_embeddings", 64}, {"tie_word_embeddings", false}};
  galore::write_file_atomically(folder / "config.json", config.dump());
  const auto result = bench("--config_name " + (folder / "config.json").string() +
                            " --per_device_train_batch_size 1 --max_length 64 --bf16 true"
                            " --optim q_galore_adamw_8bit_layerwise --optim_args rank=384");
  ASSERT_TRUE(result.is_object());
  const double peak = result["peak_memory_bytes"], planned = result["planned_bytes"],
               program = result["program_bytes"];
  RecordProperty("peak_over_plan_percent", static_cast<int>(100 * peak / (planned + program)));
  EXPECT_LE(peak, 1.03 * (planned + program)) << "planned " << planned << ", program " << program;
}

INSTANTIATE_TEST_SUITE_P(
    Presets, PeakMemory,
    testing::Values("--optim adamw_torch", "--optim adamw_8bit", "--optim adafactor", "--optim galore_adamw",
                    "--optim galore_adamw_8bit_layerwise",
                    "--optim galore_adamw_8bit_layerwise --bf16 true --gradient_checkpointing true",
                    "--optim q_galore_adamw_8bit_layerwise --bf16 true",
                    "--optim galore_adamw --optim_args subspace=svd"));

}  // namespace
