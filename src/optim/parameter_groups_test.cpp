#include "optim/parameter_groups.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "core/errors.h"
#include "optim/foreign_names.h"

namespace galore {
namespace {

// The names of a LLaMA with biases and of a GPT-2, with their numbers of dimensions.
const std::vector<std::pair<std::string, int>> kNames{{"model.embed_tokens.weight", 2},
                                                      {"model.layers.0.self_attn.q_proj.weight", 2},
                                                      {"model.layers.0.self_attn.q_proj.bias", 1},
                                                      {"model.layers.0.self_attn.o_proj.weight", 2},
                                                      {"model.layers.0.mlp.up_proj.weight", 2},
                                                      {"model.layers.0.input_layernorm.weight", 1},
                                                      {"model.layers.1.self_attn.q_proj.weight", 2},
                                                      {"model.layers.11.mlp.up_proj.weight", 2},
                                                      {"model.norm.weight", 1},
                                                      {"lm_head.weight", 2},
                                                      {"transformer.wte.weight", 2},
                                                      {"transformer.wpe.weight", 2},
                                                      {"classifier.dense.weight", 2}};

class Groups : public testing::Test {
 protected:
  Groups() {
    for (const auto& [name, dimensions] : kNames) {
      owned_.push_back(std::make_unique<Parameter>());
      owned_.back()->name = name;
      owned_.back()->role = role_by_name(name, dimensions);
      owned_.back()->value = dimensions == 2 ? at::zeros({4, 5}) : at::zeros({4});
      list_.push_back(owned_.back().get());
    }
  }
  std::vector<std::string> projected(const std::vector<std::string>& targets) {
    const Grouping grouping = group_parameters(list_, targets);
    EXPECT_EQ(grouping.projected.size(), list_.size());
    std::vector<std::string> names;
    for (size_t i = 0; i < list_.size(); ++i)
      if (grouping.projected[i]) names.push_back(list_[i]->name);
    return names;
  }
  std::vector<std::unique_ptr<Parameter>> owned_;
  ParameterList list_;
};

const std::vector<std::string> kAttentionAndMlp{
    "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.o_proj.weight",
    "model.layers.0.mlp.up_proj.weight", "model.layers.1.self_attn.q_proj.weight",
    "model.layers.11.mlp.up_proj.weight"};

TEST_F(Groups, TakeNamesOfAttentionAndMlp) { EXPECT_EQ(projected({"attn", "mlp"}), kAttentionAndMlp); }

TEST_F(Groups, TakeNamesAsPartsOfModuleNames) {
  EXPECT_EQ(projected({"q_proj"}), (std::vector<std::string>{"model.layers.0.self_attn.q_proj.weight",
                                                             "model.layers.1.self_attn.q_proj.weight"}));
  EXPECT_EQ(projected({"dense"}), std::vector<std::string>{"classifier.dense.weight"});
}

TEST_F(Groups, TakeRegularExpressionsOfWholeModuleNames) {
  EXPECT_EQ(projected({R"(model\.layers\.1\..*)"}),
            std::vector<std::string>{"model.layers.1.self_attn.q_proj.weight"});
  EXPECT_EQ(projected({R"(.*\.(q|o)_proj)"}).size(), 3u);
  EXPECT_EQ(projected({R"(layers\.\d+)"}).size(), 0u) << "a part of a name only";
}

TEST_F(Groups, TakeEveryLinearButEmbeddingAndHead) {
  std::vector<std::string> expected = kAttentionAndMlp;
  expected.push_back("classifier.dense.weight");
  EXPECT_EQ(projected({}), expected) << "the default";
  EXPECT_EQ(projected({"all-linear"}), expected);
  EXPECT_EQ(projected({"all_linear"}), expected);
}

TEST_F(Groups, NeverProjectNormsAndBiases) {
  for (const char* target : {"norm", "bias", ".*", "all-linear", "q_proj"})
    for (const std::string& name : projected({target})) {
      EXPECT_EQ(name.find("norm"), std::string::npos) << target;
      EXPECT_EQ(name.find("bias"), std::string::npos) << target;
    }
}

TEST_F(Groups, ProjectAnEmbeddingOnlyWhenNamed) {
  EXPECT_EQ(projected({"embed_tokens"}), std::vector<std::string>{"model.embed_tokens.weight"});
  EXPECT_EQ(projected({"lm_head"}), std::vector<std::string>{"lm_head.weight"});
}

// The role that a weight states takes precedence over its name.
TEST_F(Groups, GoByTheRole) {
  for (auto& parameter : owned_)
    parameter->role = parameter->name == "transformer.wte.weight" ? Role::matrix : Role::adapter;
  EXPECT_EQ(projected({}), std::vector<std::string>{"transformer.wte.weight"});
}

TEST(NameInAnyLayer, HasAStarForTheNumberOfItsLayer) {
  EXPECT_EQ(name_in_any_layer("model.layers.12.mlp.up_proj.weight", 12), "model.layers.*.mlp.up_proj.weight");
  EXPECT_EQ(name_in_any_layer("experts.3.layers.1.up.weight", 1), "experts.3.layers.*.up.weight");
  EXPECT_EQ(name_in_any_layer("lm_head.weight", -1), "lm_head.weight");
  EXPECT_EQ(name_in_any_layer("up.weight", 3), "up.weight");
}

TEST_F(Groups, ReportTargetsThatMatchNothing) {
  EXPECT_TRUE(group_parameters(list_, {}).unmatched.empty());
  EXPECT_EQ(group_parameters(list_, {"attn", "k_proj", "norm"}).unmatched,
            (std::vector<std::string>{"k_proj", "norm"}));
}

TEST_F(Groups, CountEveryParameterInTheSummary) {
  const std::string summary = group_parameters(list_, {}).summary;
  EXPECT_NE(summary.find("6 of 13 parameters"), std::string::npos) << summary;
}

TEST_F(Groups, RefuseWhatIsNeitherNameNorExpression) {
  try {
    group_parameters(list_, {"q_proj("});
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("'q_proj('"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace galore
