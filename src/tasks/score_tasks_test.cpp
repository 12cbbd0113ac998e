// Labels and predictions of the tasks with a score head, and the examples of their rows.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/errors.h"
#include "core/test_message.h"
#include "tasks/task.h"

namespace galore {
namespace {

using Json = nlohmann::json;

ModelConfig config_with(const HeadConfig& head) {
  ModelConfig config;
  config.vocab_size = 50;
  config.pad_token_id = 0;
  config.head = head;
  return config;
}

ExampleRow encode(const std::string& task, const HeadConfig& head, const Json& row, int64_t max_length = 8) {
  const ModelConfig config = config_with(head);
  return find_task(task).encode({row, "rows:1"}, {config, nullptr, max_length});
}

HeadConfig head_of(const std::vector<Json>& labels, int64_t num_labels = 0) {
  return find_task("sequence_classification").new_head({num_labels, {}}, [&](const TakeTaskRow& take) {
    for (const Json& label : labels) take({{{"label", label}}, "rows:1"});
  });
}

TEST(Classification, FindsTheClassesInTheRows) {
  EXPECT_EQ(head_of({0, 4, 1}).num_labels, 5);
  EXPECT_EQ(head_of({"1", "0"}).num_labels, 2);
  EXPECT_EQ(head_of({0.5, 1}).kind, HeadKind::regression);
  EXPECT_EQ(head_of({"no", "yes", "maybe"}).label_names, (std::vector<std::string>{"maybe", "no", "yes"}));
  EXPECT_EQ(head_of({1.0, 2.0}).kind, HeadKind::regression);
  EXPECT_EQ(head_of({"1.0", "2"}).kind, HeadKind::regression);
  EXPECT_EQ(head_of({"no", "yes"}, 3).label_names, (std::vector<std::string>{"no", "yes"}));
  // Numbers that cannot count classes from 0 are names in their order, as in run_glue.py.
  EXPECT_EQ(head_of({3, 10, 1}).label_names, (std::vector<std::string>{"1", "3", "10"}));
  EXPECT_EQ(head_of({"1", "-1"}).label_names, (std::vector<std::string>{"-1", "1"}));
  EXPECT_EQ(head_of({1, 2}, 2).label_names, (std::vector<std::string>{"1", "2"}));
  EXPECT_TRUE(head_of({1, 2}, 3).label_names.empty());
  EXPECT_EQ(head_of({1, 1}).num_labels, 2);
  EXPECT_EQ(head_of({"nan", "inf"}).label_names, (std::vector<std::string>{"inf", "nan"}));
  EXPECT_EQ(head_of({1, 1e300}).kind, HeadKind::regression);
  EXPECT_EQ(message_of([] {
              head_of({"no", "yes", "maybe"}, 2);
            }),
            "[num_labels] expected 3, the number of names in the rows, given 2");
  const Task& mnli = find_task("sequence_classification", "mnli");
  EXPECT_EQ(mnli.new_head({}, {}).label_names[2], "contradiction");
  EXPECT_EQ(find_task("sequence_classification", "stsb").new_head({}, {}).kind, HeadKind::regression);
}

// As run_glue.py does: names of the model in another order decide, and without names the task does.
TEST(Classification, FindsTheClassesOfATaskByTheirNames) {
  const auto class_of = [](const std::vector<std::string>& names, const Json& label, int64_t num_labels = 3) {
    const ModelConfig config = config_with({HeadKind::classification, num_labels, names});
    const Task& task = find_task("sequence_classification", "mnli");
    return task.encode({{{"input_ids", {1}}, {"label", label}}, "rows:1"}, {config, nullptr, 8}).values[0];
  };
  EXPECT_EQ(class_of({}, "neutral"), 1);
  EXPECT_EQ(class_of({"CONTRADICTION", "NEUTRAL", "ENTAILMENT"}, "entailment"), 2);
  EXPECT_EQ(class_of({"CONTRADICTION", "NEUTRAL", "ENTAILMENT"}, 0), 2);
  EXPECT_EQ(class_of({"x", "y", "z"}, "contradiction"), 2);
  EXPECT_EQ(class_of({"no", "yes"}, "yes", 2), 1);
}

TEST(Classification, FindsClassesThatAreNamedByNumbers) {
  const HeadConfig stars{HeadKind::classification, 3, {"1", "3", "10"}};
  const auto class_of = [&](const Json& label) {
    return encode("sequence_classification", stars, {{"input_ids", {1}}, {"label", label}}).values[0];
  };
  EXPECT_EQ(class_of(3), 1);
  EXPECT_EQ(class_of("10"), 2);
  EXPECT_EQ(class_of(1), 0);
}

// A regression has no classes that could be right.
TEST(Classification, HasNoAccuracyOfNumbers) {
  const Task& task = find_task("sequence_classification");
  const auto accuracy_with = [&](const at::Tensor& logits) {
    Batch batch;
    batch.targets.values = at::zeros({2, 1}, at::kDouble);
    batch.targets.count = 2;
    const auto metrics = task.new_metrics();
    Predictions predictions;
    predictions.values = logits;
    metrics->add({1, 2}, batch, predictions);
    return metrics->finish().at(1).value;
  };
  EXPECT_EQ(accuracy_with(at::eye(2)), 0.5);
  EXPECT_TRUE(std::isnan(accuracy_with(at::ones({2, 1}))));
}

TEST(Classification, EncodesARow) {
  const HeadConfig head{HeadKind::classification, 3, {"a", "b", "c"}};
  const std::string task = "sequence_classification";
  // transformers scores the last token that is no padding, whatever the mask says
  const ExampleRow row = encode(task, head, {{"input_ids", {5, 6, 0}}, {"label", "c"}});
  EXPECT_EQ(row.places, std::vector<int64_t>{1});
  EXPECT_EQ(row.values, std::vector<double>{2});
  const ExampleRow masked =
      encode(task, head, {{"input_ids", {5, 6, 7, 8}}, {"attention_mask", {1, 1, 1, 0}}, {"label", 1}}, 2);
  EXPECT_EQ(masked.ids, (std::vector<int64_t>{5, 6}));
  for (const Json& label : std::vector<Json>{3, -1, 0.5, "d"})
    EXPECT_EQ(message_of([&] {
                encode(task, head, {{"input_ids", {1}}, {"label", label}});
              }),
              "[rows:1] label: expected a name such as 'a' or 0 to 2, given " + label.dump());
  EXPECT_EQ(message_of([&] {
              encode(task, head, {{"input_ids", {50}}, {"label", 1}});
            }),
            "[rows:1] expected ids from 0 to 49, given 50");
  EXPECT_EQ(message_of([&] { encode(task, head, {{"input_ids", {1}}}); }), "[rows:1] expected 'label'");
  EXPECT_EQ(message_of([&] {
              encode(task, head, {{"label", 1}});
            }),
            "[rows:1] expected 'sentence', 'sentence1' and 'sentence2', 'text' or 'input_ids'");
}

const HeadConfig kValue{HeadKind::value, 0, {}, {ValueLoss::c51, 0, 4, 5}};
const HeadConfig kNumber{HeadKind::value, 0, {}, {ValueLoss::hl_gauss, 0, 4, 5}};

TEST(Value, EncodesNumbersReturnsAndPairs) {
  const ExampleRow last = encode("value", kNumber, {{"input_ids", {1, 2, 3}}, {"label", 1.5}});
  EXPECT_EQ(last.places, std::vector<int64_t>{2});
  EXPECT_EQ(last.values, std::vector<double>{1.5});
  const ExampleRow some = encode("value", kNumber, {{"input_ids", {1, 2, 3}}, {"labels", {1, nullptr, 3}}});
  EXPECT_EQ(some.places, (std::vector<int64_t>{0, 2}));
  const ExampleRow returns =
      encode("value", kNumber, {{"input_ids", {1, 2, 3}}, {"rewards", {1, 0, 4}}, {"gamma", 0.5}});
  EXPECT_EQ(returns.values, (std::vector<double>{2, 2, 4}));
  const ExampleRow pair =
      encode("value", kNumber, {{"chosen_input_ids", {1, 2, 3}}, {"rejected_input_ids", {4, 5}}});
  EXPECT_EQ(pair.ends, (std::vector<int64_t>{3, 5}));
  EXPECT_EQ(pair.places, (std::vector<int64_t>{2, 4}));
  EXPECT_TRUE(pair.values.empty());
}

ExampleRow encode_for_target_network(const std::string& task, const HeadConfig& head, const Json& row,
                                     int64_t max_length = 8) {
  const ModelConfig config = config_with(head);
  RowEncoding encoding{config, nullptr, max_length};
  encoding.bootstraps = encoding.is_for_training = true;
  return find_task(task).encode({row, "rows:1"}, encoding);
}

// Transitions are compared as text, because NaN is not equal to itself.
std::string text(const std::vector<double>& numbers) { return fmt::format("{}", fmt::join(numbers, " ")); }

TEST(Value, NumbersOfMaskedTokensAreLeftOut) {
  const ExampleRow row = encode("value", kNumber,
                                {{"input_ids", {0, 0, 7, 8}},
                                 {"attention_mask", {0, 0, 1, 1}},
                                 {"labels", {nullptr, nullptr, 1.5, 2.5}}});
  EXPECT_EQ(row.ids, (std::vector<int64_t>{7, 8}));
  EXPECT_EQ(row.places, (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(row.values, (std::vector<double>{1.5, 2.5}));
}

TEST(Value, EpisodesEndWhereTheRowSays) {
  Json row{{"input_ids", {1, 2, 3, 4, 5}}, {"rewards", {1, nullptr, 2, 4, 3}}, {"gamma", 0.5}};
  const ExampleRow whole = encode("value", kNumber, row);
  EXPECT_EQ(whole.places, (std::vector<int64_t>{0, 2, 3, 4}));
  EXPECT_EQ(whole.values, (std::vector<double>{1 + 0.5 * (2 + 0.5 * (4 + 0.5 * 3)), 2 + 0.5 * 5.5, 5.5, 3}));
  EXPECT_EQ(whole.num_targets, 4);
  EXPECT_EQ(whole.num_clipped, 2);  // 4.75 and 5.5 are above v_max = 4
  row["dones"] = {false, false, true, false, false};
  const ExampleRow cut = encode("value", kNumber, row);
  EXPECT_EQ(cut.places, (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(cut.values, (std::vector<double>{2, 2}));
  row["dones"] = {false};
  EXPECT_EQ(message_of([&] { encode("value", kNumber, row); }),
            "[rows:1] dones: expected a list of 5 truth values, one for each reward");
}

TEST(Value, RewardsBecomeTransitionsForATargetNetwork) {
  const Json row{{"input_ids", {1, 2, 3, 4}},
                 {"rewards", {1, 2, 4, 3}},
                 {"gamma", 0.5},
                 {"lambda", 0.25},
                 {"dones", {0, 1, 0, 0}}};
  const ExampleRow steps = encode_for_target_network("value", kNumber, row);
  EXPECT_EQ(steps.places, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(text(steps.transitions), "1 0.5 0.25 2 0 0.25 4 0.5 0.25 nan 0 0.25");
  // The state after the last token that fits is missing.
  EXPECT_EQ(text(encode_for_target_network("value", kNumber, row, 1).transitions), "nan 0 0.25");
  const ExampleRow number =
      encode_for_target_network("value", kNumber, {{"input_ids", {1, 2}}, {"label", 1.5}});
  EXPECT_EQ(text(number.transitions), "1.5 0 1");
  ModelConfig config = config_with(kNumber);
  RowEncoding encoding{config, nullptr, 8};
  encoding.is_for_training = true;
  EXPECT_EQ(message_of([&] {
              find_task("value").encode({row, "rows:1"}, encoding);
            }),
            "[rows:1] lambda: expected 1 (whole returns) without target_network, given 0.25");
}

TEST(QValue, ActionsBelongToTheStatesBeforeThem) {
  const HeadConfig head{HeadKind::action_value, 0, {}, {ValueLoss::mse}, 50};
  const Json row{{"input_ids", {7, 8, 9, 10}}, {"rewards", {nullptr, 1, nullptr, 4}}, {"gamma", 0.5}};
  const ExampleRow steps = encode_for_target_network("q_value", head, row);
  EXPECT_EQ(steps.places, (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(steps.actions, (std::vector<int64_t>{8, 10}));
  EXPECT_EQ(steps.values, (std::vector<double>{3, 4}));
  EXPECT_EQ(text(steps.transitions), "1 0.5 1 4 0 1");
  EXPECT_EQ(message_of([&] {
              encode("q_value", head, {{"input_ids", {7, 8}}, {"rewards", {1, nullptr}}});
            }),
            "[rows:1] expected a reward for at least one token after the first");
}

TEST(Reward, LearnsPairsByOneOutputAndRatingsByTheChosenHead) {
  const Task& task = find_task("reward");
  const auto head_for = [&](const Json& row, bool given) {
    NewHead wanted;
    wanted.loss_is_given = given;
    return task.new_head(wanted, [&](const TakeTaskRow& take) { take({row, "rows:1"}); }).value.loss;
  };
  const Json pair{{"chosen", "a"}, {"rejected", "b"}}, rating{{"text", "a"}, {"label", 3}};
  EXPECT_EQ(head_for(pair, false), ValueLoss::bradley_terry);
  EXPECT_EQ(head_for(pair, true), ValueLoss::hl_gauss);
  EXPECT_EQ(head_for(rating, false), ValueLoss::hl_gauss);
  const HeadConfig pairs{HeadKind::value, 0, {}, {ValueLoss::bradley_terry}};
  EXPECT_EQ(
      message_of([&] {
        encode("reward", pairs, {{"input_ids", {1}}, {"label", 3}});
      }),
      "[rows:1] expected a chosen and a rejected input: value_head=bradley_terry learns from pairs alone");
  EXPECT_EQ(message_of([&] {
              encode("reward", kNumber, {{"input_ids", {1}}});
            }),
            "[rows:1] expected a chosen and a rejected input, or 'label' with a rating");
}

TEST(Reward, NamesWhatIsNoText) {
  EXPECT_EQ(message_of([&] {
              encode("reward", kNumber, {{"prompt", {1}}, {"chosen", "a"}, {"rejected", "b"}});
            }),
            "[rows:1] prompt: expected a string");
}

TEST(Value, ScoresRowsWithoutTargets) {
  const ModelConfig config = config_with(kNumber);
  RowEncoding encoding{config, nullptr, 8};
  encoding.needs_targets = false;
  const TaskRow row{{{"input_ids", {1, 2, 3}}}, "rows:1"};
  EXPECT_EQ(find_task("value").encode(row, encoding).places, std::vector<int64_t>{2});
  encoding.every_token = true;
  EXPECT_EQ(find_task("value").encode(row, encoding).places, (std::vector<int64_t>{0, 1, 2}));
}

TEST(Value, EncodesDistributions) {
  const Json label{{"values", {0.5, 9}}, {"probs", {0.5, 0.5}}};
  EXPECT_EQ(encode("value", kValue, {{"input_ids", {1}}, {"label", label}}).values,
            (std::vector<double>{0.25, 0.25, 0, 0, 0.5}));
  EXPECT_EQ(encode("value", kValue, {{"input_ids", {1}}, {"label", 3}}).values,
            (std::vector<double>{0, 0, 0, 1, 0}));
  EXPECT_EQ(message_of([&] {
              encode("value", kNumber, {{"input_ids", {1}}, {"label", label}});
            }),
            "[rows:1] label: a distribution needs value_head=c51, given hl_gauss");
  EXPECT_EQ(message_of([&] {
              const Json negative{{"values", {0.5, 1}}, {"probs", {1.5, -0.5}}};
              encode("value", kValue, {{"input_ids", {1}}, {"label", negative}});
            }),
            "[rows:1] probs: expected no number below 0");
}

TEST(Value, RowsThatAreCutInFrontOfTheirNumbersCountNothing) {
  const Json row{{"input_ids", {1, 2, 3}}, {"labels", {nullptr, nullptr, 1}}};
  EXPECT_EQ(encode("value", kNumber, row, 2).places, std::vector<int64_t>());
}

TEST(Value, RefusesRowsWithoutTargets) {
  EXPECT_EQ(message_of([] {
              encode("value", kNumber, {{"input_ids", {1}}});
            }),
            "[rows:1] expected 'label', 'labels', 'rewards', or a chosen and a rejected input");
  EXPECT_EQ(message_of([] {
              encode("value", kNumber, {{"input_ids", {1}}, {"labels", {nullptr}}});
            }),
            "[rows:1] expected a number for at least one token");
  EXPECT_EQ(message_of([] {
              encode("value", kNumber, {{"input_ids", {1, 2}}, {"labels", {1}}});
            }),
            "[rows:1] expected a number or null for each of 2 tokens, given 1");
  EXPECT_EQ(message_of([] {
              encode("value", kNumber, {{"input_ids", {1, 2}}, {"labels", {1, 2, 3}}});
            }),
            "[rows:1] expected a number or null for each of 2 tokens, given 3");
}

TEST(ScoreTargets, DoNotCountPlacesWithoutATarget) {
  ExampleRows rows;
  rows.ids = at::zeros({1, 4}, at::kLong);
  rows.places = {{1, 3}};
  rows.values = {{5, NAN}};
  EXPECT_EQ(score_targets(rows).count, 1);
  rows.transitions = {{1, 0.5, 0, NAN, 0, 0}};
  rows.values = {{NAN, NAN}};
  const Targets targets = score_targets(rows, {3, 0.5});
  EXPECT_EQ(targets.count, 1);
  EXPECT_EQ(targets.backup.steps, 3);
  EXPECT_EQ(targets.transitions.size(0), 2);
  rows.transitions = {{1, 0.5, 0}};
  EXPECT_EQ(message_of([&] { score_targets(rows); }),
            "[data] expected a transition for every place, given 1 for 2");
}

TEST(ScoreTargets, CountPlacesRowByRow) {
  ExampleRows rows;
  rows.ids = at::zeros({2, 4}, at::kLong);
  rows.places = {{1, 3}, {0}};
  rows.values = {{5, 6}, {7}};
  const Targets targets = score_targets(rows);
  EXPECT_TRUE(at::equal(targets.places, at::tensor({1, 3, 4}, at::kLong)));
  EXPECT_TRUE(at::equal(targets.values, at::tensor({5., 6., 7.}, at::kDouble).view({3, 1})));
  EXPECT_EQ(targets.count, 3);
  rows.values = {{}, {}};
  rows.places = {{1, 3}, {0, 2}};
  EXPECT_TRUE(score_targets(rows).pairs);
  EXPECT_EQ(score_targets(rows).count, 2);
  rows.values = {{}, {1, 2}};
  EXPECT_EQ(message_of([&] { score_targets(rows); }), "[data] expected pairs in every row or in none");
}

}  // namespace
}  // namespace galore
