#include "core/options.h"

#include <gtest/gtest.h>

#include "core/errors.h"
#include "core/option_lists.h"

namespace galore {
namespace {

struct Settings {
  bool flag = false;
  int64_t count = 3;
  double rate = 0.5;
  std::string kind = "a";
  std::vector<std::string> files;
};

OptionTable table_of(Settings& s) {
  OptionTable table;
  table.add("flag", &s.flag, "");
  table.add("some_count", &s.count, "").range(1, 1e9).alias("n");
  table.add("rate", &s.rate, "").range(0, 1);
  table.add("kind", &s.kind, "").choices({"a", "b"});
  table.add("files", &s.files, "");
  return table;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Options, AreSetByNameAliasHyphenAndList) {
  Settings s;
  OptionTable table = table_of(s);
  table.set("test", "some-count", "5M");
  EXPECT_EQ(s.count, 5000000);
  table.set_list("test", "n=7, rate=1e-2,flag=true");
  EXPECT_EQ(s.count, 7);
  EXPECT_EQ(s.rate, 0.01);
  EXPECT_TRUE(s.flag);
  table.set("test", "files", "x, y");
  EXPECT_EQ(s.files, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(table.was_set("rate"));
  EXPECT_FALSE(table.was_set("kind"));
}

TEST(Options, RefuseWithTheReason) {
  Settings s;
  OptionTable table = table_of(s);
  EXPECT_NE(message_of([&] { table.set("here", "raet", "1"); }).find("nearest known one is 'rate'"),
            std::string::npos);
  EXPECT_NE(message_of([&] { table.set("here", "rate", "2"); }).find("expected 0 to 1, given 2"),
            std::string::npos);
  EXPECT_NE(message_of([&] { table.set("here", "rate", "fast"); }).find("expected a number"),
            std::string::npos);
  EXPECT_NE(message_of([&] { table.set("here", "n", "1.5"); }).find("whole number"), std::string::npos);
  EXPECT_NE(message_of([&] { table.set("here", "kind", "c"); }).find("expected one of a,b"),
            std::string::npos);
  EXPECT_NE(message_of([&] { table.set("here", "flag", "maybe"); }).find("true or false"), std::string::npos);
  EXPECT_EQ(s.rate, 0.5) << "a refused value must not be stored";
}

TEST(NearestName, PrefersOneThatIsUnfinished) {
  const std::vector<std::string> names{"alice", "galore_adamw_8bit", "galore_adamw", "sgd"};
  EXPECT_EQ(nearest_name("galore", names), "galore_adamw");
  EXPECT_EQ(nearest_name("alicf", names), "alice");
  EXPECT_EQ(nearest_name("x", {}), "");
}

TEST(Options, SayWhereTheyComeFrom) {
  Settings s;
  OptionTable table = table_of(s);
  EXPECT_EQ(message_of([&] { table.set("config.yaml", "x", "1"); }).rfind("[config.yaml]", 0), 0u);
}

TEST(OptionLists, QuotesAndBackslashesKeepSeparators) {
  using Items = std::vector<std::string>;
  EXPECT_EQ(split_list(R"(a\, b.txt, c)"), (Items{"a, b.txt", "c"}));
  EXPECT_EQ(split_list(R"("a, b", 'c,d' ,e"f,g)"), (Items{"a, b", "c,d", "e\"f", "g"}));
  EXPECT_EQ(split_list(R"(.*\.q_proj,x\y)"), (Items{R"(.*\.q_proj)", R"(x\y)"}))
      << "patterns stay as they are";
  EXPECT_EQ(split_list(R"("a" b,"c)"), (Items{R"("a" b)", R"("c)"})) << "quotes inside an item are plain";
  EXPECT_EQ(split_list("a,, b ;c"), (Items{"a", "b ;c"}));
}

TEST(OptionLists, EveryItemReadsBack) {
  const std::vector<std::string> items{"a",      "a,b",        " a",  "a\\,b", "\"a\"",
                                       "'a, b'", "\"a\\\", b", "a\\", ",",     "\\\""};
  EXPECT_EQ(split_list(join_list(items)), items);
  EXPECT_EQ(list_item("part a, b.jsonl"), R"(part a\, b.jsonl)");
  Settings s;
  OptionTable table = table_of(s);
  table.set("test", "files", join_list(items));
  EXPECT_EQ(s.files, items);
  EXPECT_EQ(table.find("files")->text(), join_list(items)) << "the saved configuration reads back";
}

TEST(Options, PairsMayHaveBlanks) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(parse_pairs("test", "rank = 4, scale= 0.5 ,proj =std"),
            (Pairs{{"rank", "4"}, {"scale", "0.5"}, {"proj", "std"}}));
  EXPECT_EQ(parse_pairs("test", R"(target=a\,b,rank=4)"), (Pairs{{"target", "a,b"}, {"rank", "4"}}));
}

}  // namespace
}  // namespace galore
