#include "cli/option_schema.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/errors.h"
#include "train/train_options.h"

namespace galore {
namespace {

using OrderedJson = nlohmann::ordered_json;

TEST(OptionSchema, EveryOptionAndAliasIsAProperty) {
  TrainOptions options;
  OptionTable table;
  declare_options(table, options);
  const OrderedJson schema = option_schema(table);
  EXPECT_EQ(schema.at("type"), "object");
  EXPECT_EQ(schema.at("additionalProperties"), false);
  const OrderedJson& properties = schema.at("properties");
  size_t names = 0;
  for (const auto& option : table.options()) {
    names += 1 + option->aliases().size();
    EXPECT_TRUE(properties.at(option->name()).contains("default")) << option->name();
    EXPECT_EQ(properties.at(option->name()).at("description"), option->help());
    for (const std::string& alias : option->aliases())
      EXPECT_EQ(properties.at(alias).at("description"), "the same as " + option->name());
  }
  // Options of the data may also stand in a section.
  EXPECT_TRUE(properties.at("data").at("properties").contains("mixture"));
  EXPECT_EQ(properties.size(), names + 1);
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
  const OrderedJson properties = option_schema(table).at("properties");
  EXPECT_EQ(properties.at("flag").at("enum"), OrderedJson::parse(R"([true, false, "true", "false", null])"));
  EXPECT_EQ(properties.at("flag").at("default"), true);
  EXPECT_EQ(properties.at("count").at("type"), OrderedJson::parse(R"(["number", "string", "null"])"));
  EXPECT_EQ(properties.at("count").at("default"), 3);
  EXPECT_EQ(properties.at("rate").at("default"), 0.5);
  EXPECT_EQ(properties.at("kind").at("enum"), OrderedJson::parse(R"(["a", "no", null, false])"));
  EXPECT_EQ(properties.at("files").at("default"), OrderedJson::parse(R"(["x"])"));
  EXPECT_EQ(properties.at("count").at("multipleOf"), 1);
  EXPECT_FALSE(properties.at("rate").contains("multipleOf"));
}

// The schema accepts a number exactly when the option table does.
TEST(OptionSchema, RangesAreThoseThatAreChecked) {
  TrainOptions options;
  OptionTable table;
  declare_options(table, options);
  const OrderedJson properties = option_schema(table).at("properties");
  const auto taken = [&](const std::string& name, double value) {
    TrainOptions own;
    OptionTable fresh;
    declare_options(fresh, own);
    try {
      fresh.set("test", name, fmt::format("{}", value));
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  int bounds = 0;
  for (const auto& [name, property] : properties.items()) {
    for (const auto& [bound, outwards] : {std::pair{"minimum", -1.0}, std::pair{"maximum", 1.0}}) {
      if (!property.contains(bound)) continue;
      const double value = property.at(bound);
      EXPECT_TRUE(taken(name, value)) << name << " " << value;
      EXPECT_FALSE(taken(name, value + outwards * std::max(1.0, 1e-6 * std::abs(value)))) << name;
      ++bounds;
    }
  }
  EXPECT_GT(bounds, 60);
  EXPECT_EQ(properties.at("dataloader_num_workers").at("maximum"), 256);
  EXPECT_EQ(properties.at("warmup_ratio").at("exclusiveMaximum"), 1);
  EXPECT_FALSE(taken("warmup_ratio", 1));
  EXPECT_EQ(properties.at("lr").at("minimum"), 0) << "an alias";
  EXPECT_FALSE(properties.at("val_size").contains("maximum")) << "infinity is no bound";
  EXPECT_EQ(properties.at("bf16").at("enum"),
            OrderedJson::parse(R"([true, false, "true", "false", null, "auto", "full"])"));
}

}  // namespace
}  // namespace galore
