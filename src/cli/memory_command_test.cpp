#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands.h"
#include "core/errors.h"

namespace galore {
namespace {

std::string memory(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"memory", "model_size=60m"});
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_command(arguments), 0);
  return testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(MemoryCommand, SaysWhetherItFits) {
  EXPECT_TRUE(has(memory({"memory_limit=100GiB"}), "galore_adamw fits: it needs 1."));
  const std::string text = memory({"memory_limit=1GiB"});
  EXPECT_TRUE(has(text, "galore_adamw does not fit: it needs 1.")) << text;
  EXPECT_TRUE(has(text, ", at hand are 1.00 GiB (memory_limit)")) << text;
  EXPECT_TRUE(has(text, "these fit")) << text;
  EXPECT_TRUE(has(memory({"memory_limit=1GiB", "--compare", "adamw_torch,sgd"}), "sgd does not fit"));
}

TEST(MemoryCommand, FindsTheBatchSize) {
  const std::string text = memory({"memory_limit=1.5GiB", "auto_find_batch_size=true", "batch_size=16"});
  // A program with sanitizers takes more itself.
  const bool eight =
      has(text, "taken instead: per_device_train_batch_size=8 with gradient_accumulation_steps=2");
  const bool four =
      has(text, "taken instead: per_device_train_batch_size=4 with gradient_accumulation_steps=4");
  EXPECT_TRUE(eight || four) << text;
  EXPECT_TRUE(has(text, "galore_adamw fits")) << text;
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
  EXPECT_TRUE(has(memory({device}), "whether it fits is not known: cuda:99 is not here"));
  EXPECT_TRUE(has(memory({device, "memory_limit=24GiB"}), "galore_adamw fits"));
}

}  // namespace
}  // namespace galore
