#include <gtest/gtest.h>

#include "cli/commands.h"
#include "core/errors.h"
#include "core/test_message.h"

namespace galore {
namespace {

std::string printed_by(const std::vector<std::string>& arguments) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_command(arguments), 0);
  return testing::internal::GetCapturedStdout();
}

TEST(VersionCommand, NamesTheProgramAndLibtorch) {
  const std::string text = printed_by({"version"});
  EXPECT_EQ(text.rfind("galore 0.", 0), 0U) << text;
  EXPECT_TRUE(contains(text, "\nlibtorch 2.")) << text;
  EXPECT_EQ(printed_by({"--version"}), text);
  EXPECT_EQ(printed_by({"-V"}), text);
}

TEST(VersionCommand, TakesNoOptions) {
  EXPECT_TRUE(contains(message_of([] { run_command({"version", "--all"}); }), "unknown option 'all'"));
}

}  // namespace
}  // namespace galore
