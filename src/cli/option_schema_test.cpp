#include "cli/option_schema.h"

#include <gtest/gtest.h>

#include "train/train_options.h"

namespace galore {
namespace {

using Json = nlohmann::ordered_json;

TEST(OptionSchema, EveryOptionAndAliasIsAProperty) {
  TrainOptions options;
  OptionTable table;
  declare_options(table, options);
  const Json schema = option_schema(table);
  EXPECT_EQ(schema.at("type"), "object");
  EXPECT_EQ(schema.at("additionalProperties"), false);
  const Json& properties = schema.at("properties");
  size_t names = 0;
  for (const auto& option : table.options()) {
    names += 1 + option->aliases().size();
    EXPECT_TRUE(properties.at(option->name()).contains("default")) << option->name();
    EXPECT_EQ(properties.at(option->name()).at("description"), option->help());
    for (const std::string& alias : option->aliases())
      EXPECT_EQ(properties.at(alias).at("description"), "the same as " + option->name());
  }
  EXPECT_EQ(properties.size(), names);
}

TEST(OptionSchema, TypesFollowTheTable) {
  bool flag = true;
  int64_t count = 3;
  double rate = 0.5;
  std::string kind = "a";
  std::vector<std::string> files{"x"};
  OptionTable table;
  table.add("flag", &flag, "");
  table.add("count", &count, "");
  table.add("rate", &rate, "");
  table.add("kind", &kind, "").choices({"a", "no"});
  table.add("files", &files, "");
  const Json properties = option_schema(table).at("properties");
  EXPECT_EQ(properties.at("flag").at("enum"), Json::parse(R"([true, false, "true", "false", null])"));
  EXPECT_EQ(properties.at("flag").at("default"), true);
  EXPECT_EQ(properties.at("count").at("type"), Json::parse(R"(["number", "string", "null"])"));
  EXPECT_EQ(properties.at("count").at("default"), 3);
  EXPECT_EQ(properties.at("rate").at("default"), 0.5);
  EXPECT_EQ(properties.at("kind").at("enum"), Json::parse(R"(["a", "no", null, false])"));
  EXPECT_EQ(properties.at("files").at("default"), Json::parse(R"(["x"])"));
}

}  // namespace
}  // namespace galore
