#include "cli/completion.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "core/test_folder.h"
#include "core/test_output.h"

namespace galore {
namespace {

std::vector<CompletedCommand> two_commands() {
  return {{"train",
           "train: a model's [weights]",
           {{"dtype", "of 'weights'", {"float32", "bfloat16"}}, {"output_dir", "a folder", {}}}},
          {"train-tokenizer", "train one", {{"vocab_size", "a number", {}}}}};
}

// Returns the completions that bash offers after these words; the last word is incomplete.
std::string offered(const Path& script, const std::string& words) {
  return output_of("bash -c '. " + script.string() + "; COMP_WORDS=(" + words +
                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _galore; printf \"%s \" \"${COMPREPLY[@]}\"'");
}

TEST(Completion, BashOffersCommandsOptionsAndValues) {
  const TestFolder folder;
  const Path script = folder / "galore.bash";
  write_file_atomically(script, bash_completion(two_commands()));
  EXPECT_EQ(offered(script, "galore train-"), "train-tokenizer ");
  EXPECT_EQ(offered(script, "galore train --d"), "--dtype ");
  EXPECT_EQ(offered(script, "galore train --output_dir x --"), "--help --dtype --output_dir ");
  EXPECT_EQ(offered(script, "galore train-tokenizer --v"), "--vocab_size ");
  EXPECT_EQ(offered(script, "galore train --dtype b"), "bfloat16 ");
  EXPECT_EQ(offered(script, "galore train --dtype = f"), "float32 ");
  EXPECT_EQ(offered(script, "galore train dtype = f"), "float32 ");
  EXPECT_EQ(offered(script, "galore train --output_dir " + (folder / "galore").string()),
            script.string() + " ");
}

TEST(Completion, QuotesInHelpDoNoHarm) {
  for (const std::string& text : {zsh_completion(two_commands()), fish_completion(two_commands())}) {
    EXPECT_NE(text.find("of weights"), std::string::npos);
    EXPECT_NE(text.find("train; a models (weights)"), std::string::npos);
    EXPECT_NE(text.find("float32 bfloat16"), std::string::npos);
  }
}

TEST(Completion, TheCommandAsksEveryCommandForItsOptions) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_command({"completion", "bash"}), 0);
  const std::string script = testing::internal::GetCapturedStdout();
  for (const auto& [name, help] : command_list())
    EXPECT_NE(script.find("_galore_options['" + name + "']='--help"), std::string::npos) << name;
  EXPECT_NE(script.find(" --learning_rate"), std::string::npos);
  EXPECT_NE(script.find("_galore_values['train eval_strategy']='auto no steps epoch'"), std::string::npos);
}

}  // namespace
}  // namespace galore
