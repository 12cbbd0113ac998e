#include "adapters/adapter_kind.h"

#include <gtest/gtest.h>

#include "adapters/module_pattern.h"
#include "core/option_lists.h"

namespace galore {
namespace {

TEST(AdapterArgs, KeepListsAndMapsWhole) {
  const Adapter::Json expected = {{"r", "4"},
                                  {"target_modules", "q_proj,v_proj"},
                                  {"rank_pattern", {{"q_proj", "2"}, {"v_proj", "3"}}},
                                  {"exclude_modules", "(a|b{1,2})"}};
  const std::vector<std::string> items{"r=4", "target_modules=q_proj,v_proj",
                                       R"(rank_pattern={"q_proj":"2","v_proj":"3"})",
                                       "exclude_modules=(a|b{1,2})"};
  std::string typed;
  for (const std::string& item : items) typed += (typed.empty() ? "" : ",") + item;
  EXPECT_EQ(parse_adapter_args(typed), expected);
  // A YAML map arrives in the text form of lists, with a backslash before each comma of a value.
  EXPECT_EQ(parse_adapter_args(join_list(items)), expected);
  EXPECT_EQ(parse_adapter_args(expected.dump()), expected);
}

TEST(ModulePattern, RepeatsAsPythonDoes) {
  const PythonPattern pattern(R"(layers\.\d{,1}\.[q{,]_proj)", "test");
  EXPECT_TRUE(pattern.matches("layers.7.q_proj"));
  EXPECT_TRUE(pattern.matches("layers.7.{_proj"));
  EXPECT_FALSE(pattern.matches("layers.12.q_proj"));
}

TEST(AdapterArgs, HaveKeysInBothSpellings) {
  const Adapter::Json expected = {{"r", "4"}, {"lora_alpha", "3"}};
  EXPECT_EQ(parse_adapter_args("r=4,lora-alpha=3"), expected);
  EXPECT_EQ(parse_adapter_args(R"({"r": "4", "lora-alpha": "3"})"), expected);
}

}  // namespace
}  // namespace galore
