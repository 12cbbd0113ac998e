// Scores rows with small models of random weights.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "checkpoint/hugging_face.h"
#include "cli/commands.h"
#include "core/files.h"
#include "core/test_folder.h"
#include "core/test_message.h"
#include "models/causal_lm.h"

namespace galore {
namespace {

using Json = nlohmann::json;

class ScoreCommandTest : public testing::Test {
 protected:
  ScoreCommandTest() {
    write_file_atomically(folder_ / "rows.jsonl", "{\"input_ids\": [5, 6, 7]}\n{\"input_ids\": [8, 9]}\n");
  }
  // Writes a model whose head has weights, unlike a new one.
  void write_model(const HeadConfig& head) {
    ModelConfig config = parse_model_config("test", R"({"model_type": "llama", "vocab_size": 30,
      "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
      "max_position_embeddings": 32, "tie_word_embeddings": false})");
    config.head = head;
    Ledger ledger(at::kCPU);
    const auto model = make_model(config, {}, ledger);
    model->initialize(5);
    for (Parameter* parameter : model->parameters())
      if (parameter->role == Role::head) parameter->value.normal_();
    save_model(folder_ / "model", config, model->parameters(), at::kFloat);
  }
  std::vector<Json> scores(std::vector<std::string> more) const {
    std::vector<std::string> arguments{(folder_ / "rows.jsonl").string(), "--model_name_or_path",
                                       (folder_ / "model").string(), "--threads=1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    testing::internal::CaptureStdout();
    try {
      score_command(arguments);
    } catch (...) {
      testing::internal::GetCapturedStdout();
      throw;
    }
    std::istringstream lines(testing::internal::GetCapturedStdout());
    std::vector<Json> all;
    for (std::string line; std::getline(lines, line);) all.push_back(Json::parse(line));
    return all;
  }
  TestFolder folder_;
};

TEST_F(ScoreCommandTest, WritesValuesAndTheirDistributions) {
  write_model({HeadKind::value, 0, {}, {ValueLoss::hl_gauss, 0, 1, 5}});
  const auto rows = scores({"--distribution"});
  ASSERT_EQ(rows.size(), 2);
  for (const Json& row : rows) {
    const auto values = row["distribution"]["values"].get<std::vector<double>>();
    const auto shares = row["distribution"]["probs"].get<std::vector<double>>();
    EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0), 1, 1e-9);
    EXPECT_NEAR(std::inner_product(values.begin(), values.end(), shares.begin(), 0.0),
                row["value"].get<double>(), 1e-6);
    EXPECT_FALSE(row.contains("loss"));
  }
  EXPECT_NE(rows[0]["value"], rows[1]["value"]);
  // The last token's value is the row's, and a row of several places has lists.
  const auto tokens = scores({"--every_token", "--distribution"});
  ASSERT_EQ(tokens[0]["value"].size(), 3);
  EXPECT_NEAR(tokens[0]["value"][2].get<double>(), rows[0]["value"].get<double>(), 1e-6);
  EXPECT_EQ(tokens[1]["distribution"].size(), 2);
}

// A head of preferences has no loss of single rows, but it has their values.
TEST_F(ScoreCommandTest, WritesTheRewardsOfPreferences) {
  write_model({HeadKind::value, 0, {}, {ValueLoss::bradley_terry}});
  const auto rows = scores({});
  ASSERT_EQ(rows.size(), 2);
  EXPECT_NE(rows[0]["value"], rows[1]["value"]);
  EXPECT_EQ(rows[0]["std"], 0);
}

TEST_F(ScoreCommandTest, WritesTheBestActions) {
  write_model({HeadKind::action_value, 0, {}, {ValueLoss::mse}, 30});
  const auto rows = scores({"--every_token"});
  for (const Json& row : rows)
    for (size_t i = 0; i < row["value"].size(); ++i)
      EXPECT_LE(row["value"][i].get<double>(), row["best_value"][i].get<double>());
  EXPECT_EQ(rows[0]["best_action"].size(), 3);
}

// A regression has no spread and these rows are no pairs, so neither metric has a value.
TEST_F(ScoreCommandTest, EvaluationPrintsOnlyMetricsThatAreDefined) {
  write_model({HeadKind::value, 0, {}, {ValueLoss::mse}});
  write_file_atomically(folder_ / "labels.jsonl", R"({"input_ids": [5, 6, 7], "label": 0.5}
{"input_ids": [8, 9], "label": 1}
)");
  testing::internal::CaptureStdout();
  eval_command({"--model_name_or_path", (folder_ / "model").string(), "--eval_file",
                (folder_ / "labels.jsonl").string(), "--threads=1"});
  const std::string printed = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(contains(printed, "eval_mae"));
  EXPECT_FALSE(contains(printed, "nan"));
}

TEST_F(ScoreCommandTest, RefusesModelsWithoutValues) {
  write_model({HeadKind::classification, 2, {}});
  EXPECT_TRUE(contains(message_of([&] { scores({}); }),
                       "expected a model with a value head, given one for sequence_classification"));
}

}  // namespace
}  // namespace galore
