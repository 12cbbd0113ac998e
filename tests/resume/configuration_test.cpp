// Tests which source of a setting has precedence, and that no table of options declares a name twice.
#include <gtest/gtest.h>

#include <sstream>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/config_file.h"
#include "core/errors.h"
#include "core/test_folder.h"
#include "optim/presets.h"
#include "optim/update_rules/adamw.h"
#include "train/train_options.h"

namespace galore {
namespace {

struct Resolved {
  TrainOptions options;
  std::vector<std::string> notes;

  Resolved(const std::string& yaml, std::vector<std::string> arguments) {
    const TestFolder folder;
    write_file_atomically(folder / "run.yaml", yaml);
    arguments.insert(arguments.begin(), (folder / "run.yaml").string());
    OptionTable table;
    declare_options(table, options);
    parse_with_config("train", table, arguments);
    notes = resolve(options, table);
  }
};

std::string complaint(const std::string& yaml, const std::vector<std::string>& arguments = {}) {
  try {
    const Resolved resolved(yaml, arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

// Returns the names of the sub-commands from `galore help`.
std::vector<std::string> command_names() {
  testing::internal::CaptureStdout();
  run_command({"help"});
  std::istringstream help(testing::internal::GetCapturedStdout());
  std::vector<std::string> names;
  for (std::string line; std::getline(help, line);)
    if (line.rfind("  ", 0) == 0) names.push_back(line.substr(2, line.find(' ', 2) - 2));
  return names;
}

TEST(Configuration, CommandLineBeforeFileBeforePresetBeforeDefault) {
  const std::string model = "model_size: 60m\n";
  const auto epsilon = [&](const std::string& yaml, const std::vector<std::string>& arguments) {
    return options_of<AdamWOptions>(*Resolved(model + yaml, arguments).options.optimizer.settings->rule)
        .epsilon;
  };
  EXPECT_EQ(epsilon("optim: adamw_torch\n", {}), 1e-8) << "the default";
  EXPECT_EQ(epsilon("", {}), 1e-6) << "the preset galore_adamw's";
  EXPECT_EQ(epsilon("adam_epsilon: 1e-5\n", {}), 1e-5) << "the file's";
  EXPECT_EQ(epsilon("adam_epsilon: 1e-5\n", {"--adam-epsilon", "1e-4"}), 1e-4) << "the command line's";
  EXPECT_EQ(epsilon("adam_epsilon: 1e-5\n", {"adam_epsilon=1e-3"}), 1e-3);
  EXPECT_EQ(Resolved(model + "lr: 0.5\n", {"learning_rate=0.25"}).options.learning_rate, 0.25)
      << "by any name";
  EXPECT_EQ(Resolved(model + "learning_rate: 0.5\n", {"lr=0.25"}).options.learning_rate, 0.25);
  EXPECT_EQ(Resolved(model, {"model_size=", "config_name=c.json"}).options.config_name, "c.json");
}

TEST(Configuration, ListsAndMapsOfAFile) {
  const TrainOptions options = Resolved(
                                   "model_size: 60m\n"
                                   "train_file: [a.txt, b.txt]\n"
                                   "optim_args: {rank: 64, scale: 0.5}\n"
                                   "lr_scheduler_type: cosine_with_min_lr\n"
                                   "lr_scheduler_kwargs: {min_lr_rate: 0.1}\n"
                                   "save_steps: null\n",
                                   {"--eval_file", "c.txt", "d.txt"})
                                   .options;
  EXPECT_EQ(options.train_file, (std::vector<std::string>{"a.txt", "b.txt"}));
  EXPECT_EQ(options.eval_file, (std::vector<std::string>{"c.txt", "d.txt"}));
  EXPECT_EQ(options.optimizer.settings->subspace.rank, 64);
  EXPECT_EQ(options.lr_scheduler_kwargs, "min_lr_rate=0.1");
}

TEST(Configuration, WrongKeysNameFileLineAndTheNearest) {
  const std::string text = complaint("model_size: 60m\nbatch_siz: 4\n");
  EXPECT_NE(text.find("run.yaml:2] unknown option 'batch_siz'; the nearest known one is 'batch_size'"),
            std::string::npos)
      << text;
  EXPECT_NE(complaint("model_size: 60m\nmax_steps: many\n").find("run.yaml:2] max_steps: expected a number"),
            std::string::npos);
  EXPECT_NE(complaint("model_size: 60m\nmax_steps: [\n"), "");
  EXPECT_NE(complaint("model_size: 60m\nreport_to: [jsonl, wandb]\n").find("[report_to] expected none"),
            std::string::npos);
}

// A table throws std::logic_error when a name or alias is declared twice. This test builds the table of every
// command.
TEST(OptionTables, NoCommandDeclaresANameTwice) {
  const std::vector<std::string> names = command_names();
  EXPECT_GE(names.size(), 10u);
  for (const std::string& name : names) {
    testing::internal::CaptureStdout();
    EXPECT_NO_THROW(run_command({name, "--help"})) << name;
    EXPECT_NE(testing::internal::GetCapturedStdout().find(name), std::string::npos) << name;
  }
}

TEST(Configuration, AnOptimizerMayBeAMapAndWeightsMayHaveTheirOwn) {
  const Resolved resolved(
      "model_size: 60m\noutput_dir: o\ntrain_file: f.txt\n"
      "optim: {rule: adamw, subspace: svd, rank: 16, storage: blockwise_8bit}\n"
      "optim_overrides:\n  - pattern: down_proj\n    rank: 8\n    learning_rate_factor: 0.5\n"
      "  - {pattern: layers.0, optim: adamw}\n",
      {});
  const OptimizerOptions& optimizer = resolved.options.optimizer;
  EXPECT_EQ(optimizer.settings->storage.storage, "blockwise_8bit");
  EXPECT_EQ(optimizer.settings->subspace.rank, 16);
  ASSERT_EQ(optimizer.overrides.size(), 2u);
  EXPECT_EQ(optimizer.overrides[0].pattern, "down_proj");
  EXPECT_EQ(optimizer.overrides[0].settings->subspace.rank, 8);
  EXPECT_EQ(optimizer.overrides[0].learning_rate_factor, 0.5);
  EXPECT_FALSE(optimizer.overrides[1].settings->method);
  const Resolved named(
      "model_size: 60m\noutput_dir: o\ntrain_file: f.txt\noptim: {method: muon, storage: blockwise_8bit}\n",
      {"optim_args=momentum=0.9"});
  EXPECT_EQ(named.options.optimizer.settings->storage.storage, "blockwise_8bit");
  EXPECT_EQ(option_text(named.options.optimizer.settings, "momentum"), "0.9");
}

TEST(OptionTables, NoPresetDeclaresANameTwice) {
  for (const Preset& preset : presets()) {
    OptimizerSettings settings = preset.settings();
    OptionTable table;
    EXPECT_NO_THROW(declare_options(table, settings)) << preset.name;
    EXPECT_FALSE(table.options().empty()) << preset.name;
  }
}

TEST(OptionTables, ATableRefusesWhatItHas) {
  const auto declares = [](const std::string& name, const std::string& alias) {
    int64_t value = 0;
    OptionTable table;
    table.add("steps", &value, "").alias("updates");
    table.add(name, &value, "").alias(alias);
  };
  EXPECT_NO_THROW(declares("rows", "lines"));
  EXPECT_THROW(declares("steps", "lines"), std::logic_error);
  EXPECT_THROW(declares("updates", "lines"), std::logic_error) << "an alias as a name";
  EXPECT_THROW(declares("rows", "steps"), std::logic_error) << "a name as an alias";
  EXPECT_THROW(declares("rows", "updates"), std::logic_error);
  EXPECT_THROW(declares("rows", "rows"), std::logic_error);
  EXPECT_THROW(declares("Rows", "lines"), std::logic_error) << "would never be found";
  EXPECT_THROW(declares("rows", "more-lines"), std::logic_error);
}

}  // namespace
}  // namespace galore
