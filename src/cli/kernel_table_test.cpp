#include "cli/kernel_table.h"

#include <gtest/gtest.h>

#include "cli/commands.h"
#include "core/errors.h"
#include "core/test_message.h"
#include "kernels/device.h"

namespace galore {
namespace {

std::string printed_kernels(const std::vector<std::string>& arguments) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_command(arguments), 0);
  return testing::internal::GetCapturedStdout();
}

TEST(KernelTable, TellsWhichVersionRunsHere) {
  const auto table = nlohmann::ordered_json::parse(printed_kernels({"info", "--kernels", "--json"}));
  EXPECT_EQ(table["cuda_built"], cuda::is_built());
  const bool on_cpu = table["device"] == "cpu";
  size_t kernels = 0;
  for (const auto& row : table["operations"]) {
    const bool has_kernel = row[on_cpu ? "cpu" : "cuda"];
    kernels += has_kernel;
    EXPECT_EQ(row["here"], has_kernel ? (on_cpu ? "cpu kernel" : "cuda kernel") : "composed") << row;
    if (row["name"] == "attention") {
      EXPECT_EQ(row["cpu"], true);
    }
    if (row["name"] == "gelu") {
      EXPECT_EQ(row["here"], "composed");
    }
  }
  EXPECT_GT(kernels, 0U);
  EXPECT_GT(table["operations"].size(), 30U);
}

TEST(KernelTable, IsPrintedOneLineAnOperation) {
  const std::string text = printed_kernels({"info", "--kernels"});
  EXPECT_TRUE(contains(text, "\noperation ")) << text;
  EXPECT_TRUE(contains(text, "\nadamw_direction            yes   yes   yes ")) << text;
  EXPECT_TRUE(contains(text, "\ngelu                       -     -     yes       composed\n")) << text;
}

TEST(KernelTable, IsAboutTheMachineNotAboutAPath) {
  EXPECT_TRUE(contains(message_of([] { run_command({"info", "--kernels", "x"}); }), "given both"));
}

}  // namespace
}  // namespace galore
