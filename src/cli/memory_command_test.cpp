#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands.h"
#include "core/errors.h"
#include "core/test_message.h"

namespace galore {
namespace {

std::string memory(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"memory", "model_size=60m"});
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_command(arguments), 0);
  return testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
}

TEST(MemoryCommand, SaysWhetherItFits) {
  EXPECT_TRUE(contains(memory({"memory_limit=100GiB"}), "galore_adamw fits: it needs 1."));
  const std::string text = memory({"memory_limit=1GiB"});
  EXPECT_TRUE(contains(text, "galore_adamw does not fit: it needs 1.")) << text;
  EXPECT_TRUE(contains(text, ", at hand are 1.00 GiB (memory_limit)")) << text;
  EXPECT_TRUE(contains(text, "these fit")) << text;
  EXPECT_TRUE(contains(memory({"memory_limit=1GiB", "--compare", "adamw_torch,sgd"}), "sgd does not fit"));
}

// The memory that the process already holds depends on earlier tests and on sanitizers, so limits are set
// relative to it.
int64_t held_by_the_program() {
  const std::string text = memory({"memory_limit=100GiB", "json=true"});
  return nlohmann::json::parse(text.substr(0, text.find('\n'))).at("program");
}

TEST(MemoryCommand, FindsTheBatchSize) {
  constexpr int64_t kPlanned = 1400 << 20;  // a plan has 1,257 MiB for 8 rows and 1,572 MiB for 16 rows
  const std::string limit = std::to_string((held_by_the_program() + kPlanned) >> 20) + "MiB";
  const std::string text = memory({"memory_limit=" + limit, "auto_find_batch_size=true", "batch_size=16"});
  EXPECT_TRUE(
      contains(text, "taken instead: per_device_train_batch_size=8 with gradient_accumulation_steps=2"))
      << text;
  EXPECT_TRUE(contains(text, "galore_adamw fits")) << text;
}

TEST(MemoryCommand, PrintsItAsJson) {
  std::istringstream lines(memory({"memory_limit=1GiB", "json=true"}));
  std::string line;
  std::getline(lines, line);
  const auto plan = nlohmann::json::parse(line);
  EXPECT_EQ(plan.at("at_hand"), 1 << 30);
  EXPECT_EQ(plan.at("limited_by"), "memory_limit");
  EXPECT_EQ(plan.at("fits"), false);
  EXPECT_GT(plan.at("total"), 1 << 30);
}

TEST(MemoryCommand, PlansForADeviceThatIsNotHere) {
  const std::string device = "device=cuda:99";
  EXPECT_TRUE(contains(memory({device}), "whether it fits is not known: cuda:99 is not here"));
  EXPECT_TRUE(contains(memory({device, "memory_limit=24GiB"}), "galore_adamw fits"));
}

}  // namespace
}  // namespace galore
