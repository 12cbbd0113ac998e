#include "cli/arguments.h"

#include <gtest/gtest.h>

#include "cli/config_file.h"
#include "core/errors.h"
#include "core/files.h"
#include "core/test_folder.h"
#include "core/test_message.h"
#include "data/mixture_options.h"
#include "train/train_options.h"

namespace galore {
namespace {

struct Values {
  std::string text = "none";
  int64_t count = 3;
  bool flag = false, other = true;
  std::vector<std::string> files;
  OptionTable table;

  Values() {
    table.add("text", &text, "a text");
    table.group("Numbers");
    table.add("some_count", &count, "a number").range(0, 10).alias("count");
    table.add("flag", &flag, "on or off");
    table.add("other", &other, "on or off");
    table.add("files", &files, "several");
  }
  bool parse(const Arguments& arguments) { return parse_arguments("test", table, arguments); }
  std::string error(const std::vector<std::string>& arguments) {
    try {
      parse(arguments);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }
};

TEST(Arguments, AllForms) {
  Values v;
  EXPECT_TRUE(
      v.parse({"--text", "a=b", "some-count=4", "--flag", "--no-other", "--files", "x", "y", "--files=z"}));
  EXPECT_EQ(v.text, "a=b");
  EXPECT_EQ(v.count, 4);
  EXPECT_TRUE(v.flag);
  EXPECT_FALSE(v.other);
  EXPECT_EQ(v.files, (std::vector<std::string>{"x", "y", "z"}));
  EXPECT_TRUE(v.parse({"--flag", "false", "--Some-Count=5", "text=", "--files", "p=1", "count=6"}));
  EXPECT_FALSE(v.flag);
  EXPECT_EQ(v.count, 6);
  EXPECT_EQ(v.text, "");
  EXPECT_EQ(v.files, (std::vector<std::string>{"p=1"}));
  EXPECT_TRUE(v.parse({"--text", "-3"}));
  EXPECT_EQ(v.text, "-3");
}

TEST(Arguments, WrongUsage) {
  Values v;
  EXPECT_NE(v.error({"--txet", "a"}).find("'text'"), std::string::npos);
  EXPECT_NE(v.error({"--text"}).find("value"), std::string::npos);
  EXPECT_NE(v.error({"--text", "--flag"}).find("value"), std::string::npos);
  EXPECT_NE(v.error({"loose"}).find("'loose'"), std::string::npos);
  EXPECT_NE(v.error({"--some_count", "11"}), "");
  EXPECT_NE(v.error({"--flag=maybe"}), "");
}

TEST(Arguments, AWordInFrontIsTaken) {
  Arguments arguments{"one", "two", "a=b"};
  EXPECT_EQ(arguments.take_word(), "one");
  EXPECT_EQ(arguments.take_word(), "two");
  EXPECT_EQ(arguments.take_word(), std::nullopt) << "an assignment";
  EXPECT_EQ(Arguments({"--flag"}).take_word(), std::nullopt);
}

TEST(Arguments, HelpIsShownAsTheCallerWants) {
  Values v;
  std::string shown;
  const auto show = [&](const std::string& command, const OptionTable& table) {
    shown = command + " " + table.options().front()->name();
  };
  EXPECT_FALSE(v.parse(Arguments({"--text", "a", "-h"}, show)));
  EXPECT_EQ(shown, "test text");
  EXPECT_EQ(v.text, "none");
}

TEST(Arguments, HelpIsGenerated) {
  Values v;
  testing::internal::CaptureStdout();
  EXPECT_FALSE(v.parse({"--text", "a", "--help"}));
  const std::string help = testing::internal::GetCapturedStdout();
  for (const char* part : {"galore test", "Numbers:", "--some_count int", "[3]", "also: count"})
    EXPECT_NE(help.find(part), std::string::npos) << part << "\n" << help;
  EXPECT_EQ(v.text, "none");
}

TEST(Arguments, ValuesWithCommasAreOneItem) {
  using Items = std::vector<std::string>;
  Values v;
  v.parse({"--files", "a, b", "c"});
  EXPECT_EQ(v.files, (Items{"a, b", "c"}));
  v.parse({"--files", "a,b"});
  EXPECT_EQ(v.files, (Items{"a", "b"})) << "a single value is a list";
  v.parse({"--files", R"(a\,b)"});
  EXPECT_EQ(v.files, Items{"a,b"});
  const TestFolder folder;
  const std::string name = (folder / "part a, b.jsonl").string();
  v.parse({"--files=" + name});
  EXPECT_EQ(v.files, (Items{folder.path().string() + "/part a", "b.jsonl"}));
  write_file_atomically(name, "x");
  v.parse({"--files=" + name});
  EXPECT_EQ(v.files, Items{name}) << "a file has this name";
}

TEST(ConfigFile, OptionsOfDataMayStandInASection) {
  const TestFolder folder;
  write_file_atomically(folder / "run.yaml",
                        "data:\n  mixture:\n    - {name: a, files: [a.txt, b.txt], weight: 2}\n"
                        "    - {name: b, files: c.txt, weight: 1}\n  max_length: 64\n");
  TrainOptions options;
  OptionTable table;
  declare_options(table, options);
  read_config_file((folder / "run.yaml").string(), table);
  EXPECT_EQ(options.max_length, 64);
  const std::vector<MixtureItem> items = parse_mixture(options.mixture);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].files, (std::vector<std::string>{"a.txt", "b.txt"}));
  EXPECT_EQ(items[0].weight, 2);
  // The saved configuration gives the same sources.
  EXPECT_EQ(parse_mixture(table.find("mixture")->text())[0].files, items[0].files);
  write_file_atomically(folder / "run.yaml", "data:\n  max_lenth: 64\n");
  EXPECT_TRUE(
      contains(message_of([&] { read_config_file((folder / "run.yaml").string(), table); }), "run.yaml:2"));
}

TEST(ConfigFile, AJsonObjectIsReadAsAFile) {
  TrainOptions options;
  OptionTable table;
  declare_options(table, options);
  read_config_object(
      R"({"train_file": ["a, b.txt", "\u00e4.txt"], "optim_args": {"rank": 4}, "learning_rate": 1e-05,
          "bf16": true, "run_name": "", "eval_file": null, "data": {"max_length": 64}})",
      "train", table);
  EXPECT_EQ(options.train_file, (std::vector<std::string>{"a, b.txt", "\u00e4.txt"}));
  EXPECT_EQ(options.optim_args, "rank=4");
  EXPECT_EQ(options.learning_rate, 1e-5);
  EXPECT_TRUE(options.bf16 && !table.was_set("eval_file"));
  EXPECT_EQ(options.max_length, 64);
  EXPECT_TRUE(
      message_of([&] { read_config_object(R"({"max_lenth": 1})", "train", table); }).starts_with("[train] "));
}

TEST(ConfigFile, ItemsOfAListAreOneValue) {
  const TestFolder folder;
  Values v;
  const auto read = [&](const std::string& yaml) {
    write_file_atomically(folder / "run.yaml", yaml);
    read_config_file((folder / "run.yaml").string(), v.table);
  };
  read("files:\n  - part a, b.jsonl\n  - \" c\"\n");
  EXPECT_EQ(v.files, (std::vector<std::string>{"part a, b.jsonl", " c"}));
  read("files: a, b\n");
  EXPECT_EQ(v.files, (std::vector<std::string>{"a", "b"}));
  read("text: {rank: 4, target: [a, b]}\n");
  EXPECT_EQ(parse_pairs("test", v.text),
            (std::vector<std::pair<std::string, std::string>>{{"rank", "4"}, {"target", "a,b"}}));
  read("text: [{rank: 4}, {rank: 8}]\n");
  EXPECT_EQ(v.text, "rank=4;rank=8");
}

}  // namespace
}  // namespace galore
