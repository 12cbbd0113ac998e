// Compares encoders and their heads with transformers 4.57: loss, logits and every gradient of the
// checkpoints that make_encoder_vectors.py froze.
#include <gtest/gtest.h>

#include "checkpoint/hugging_face.h"
#include "checkpoint/safetensors.h"
#include "core/labels.h"
#include "core/test_folder.h"
#include "data/batch_builder.h"
#include "models/gradient_collector.h"
#include "models/trainable_model.h"

namespace galore {
namespace {

double relative_difference(const at::Tensor& given, const at::Tensor& expected) {
  const at::Tensor a = given.to(at::kDouble), b = expected.to(at::kDouble);
  return ((a - b).norm() / b.norm()).item<double>();
}

std::vector<int64_t> numbers_of(const at::Tensor& row) {
  return {row.const_data_ptr<int64_t>(), row.const_data_ptr<int64_t>() + row.numel()};
}

class EncoderParity : public testing::TestWithParam<std::string> {
 protected:
  EncoderParity()
      : folder_(Path(GALORE_PARITY_DATA) / ".." / "encoders" / GetParam()),
        expected_(folder_ / "expected.safetensors"),
        ledger_(at::kCPU) {}

  std::unique_ptr<TrainableModel> model(bool checkpointing) {
    ModelOptions options;
    options.gradient_checkpointing = checkpointing;
    auto model = make_model(read_model_config(folder_), options, ledger_);
    EXPECT_EQ(load_weights(folder_, model->parameters()), "");
    return model;
  }
  bool predicts_words() { return expected_.read("labels").dim() == 2; }

  // Returns the rows without their padding, so that the batch pads them.
  std::vector<ExampleRow> rows() {
    const at::Tensor ids = expected_.read("input_ids"), lengths = expected_.read("attention_mask").sum(1),
                     labels = expected_.read("labels");
    const bool typed = has("token_type_ids");
    std::vector<ExampleRow> rows;
    for (int64_t i = 0; i < ids.size(0); ++i) {
      const int64_t length = lengths[i].item<int64_t>();
      const auto part = [&](const at::Tensor& all) { return numbers_of(all[i].narrow(0, 0, length)); };
      ExampleRow& row = rows.emplace_back();
      row.ids = part(ids);
      row.labels = predicts_words() ? part(labels) : row.ids;
      if (typed) row.types = part(expected_.read("token_type_ids"));
      if (predicts_words()) continue;
      row.places = {0};
      row.values = {labels[i].to(at::kDouble).item<double>()};
    }
    return rows;
  }
  // Padding to a multiple of `multiple` must not change a result.
  Batch batch(int64_t multiple = 1) {
    const auto words = [](const ExampleRows& given) {
      return Targets{given.labels, given.labels.ne(kIgnoredLabel).sum().item<int64_t>()};
    };
    RowPadding padding;
    padding.multiple = multiple;
    padding.max_length = 20;
    padding.bidirectional = true;
    const auto scores = [](const ExampleRows& given) { return score_targets(given); };
    return build_batch(rows(), padding, predicts_words() ? MakeTargets(words) : MakeTargets(scores));
  }
  bool has(const std::string& name) {
    for (const TensorInfo& info : expected_.tensors())
      if (info.name == name) return true;
    return false;
  }

  Path folder_;
  SafetensorsReader expected_;
  Ledger ledger_;
};

// Both sides round each of some thousand fp32 operations once, in a different order, so they differ by about
// 1e-6.
TEST_P(EncoderParity, LossAndGradients) {
  for (const bool checkpointing : {false, true}) {
    const auto given = model(checkpointing);
    GradientCollector gradients(given->parameters(), ledger_, at::kFloat);
    const Batch rows = batch();
    const LossSum loss = given->train_step(rows, 1.0 / static_cast<double>(rows.targets.count));
    EXPECT_NEAR(loss.mean() / expected_.read("loss").item<float>(), 1, 1e-5);
    size_t compared = 0;
    for (const Parameter* parameter : given->parameters()) {
      const FullGradientSink& sink = gradients[parameter->name];
      EXPECT_EQ(sink.uses_done(), parameter->uses) << parameter->name;
      const at::Tensor expected = expected_.read("gradient/" + parameter->name);
      // The gradient of keys' biases is 0 but for rounding, because softmax ignores a common addend.
      if (expected.norm().item<double>() < 1e-6) continue;
      EXPECT_LT(relative_difference(sink.gradient(), expected), 1e-4) << parameter->name;
      ++compared;
    }
    EXPECT_GT(compared, given->parameters().size() - 3);
  }
}

TEST_P(EncoderParity, LogitsWithAnyPadding) {
  const auto given = model(false);
  for (const int64_t multiple : {1, 8}) {
    Predictions predictions;
    const LossSum loss = given->evaluate(batch(multiple), &predictions);
    EXPECT_NEAR(loss.mean() / expected_.read("loss").item<float>(), 1, 1e-5);
    if (!predicts_words()) {
      EXPECT_LT(relative_difference(predictions.values, expected_.read("logits")), 1e-5);
    } else if (multiple == 1) {
      EXPECT_LT(relative_difference(predictions.losses, expected_.read("losses")), 1e-5);
    }
  }
}

TEST_P(EncoderParity, SavesTheSameTensors) {
  const auto given = model(false);
  const TestFolder folder;
  save_model(folder.path(), given->config(), given->parameters(), at::kFloat);
  const SafetensorsReader before(folder_ / "model.safetensors"), after(folder.path() / "model.safetensors");
  std::map<std::string, at::Tensor> saved;
  for (const TensorInfo& info : after.tensors()) saved[info.name] = after.read(info.name);
  for (const TensorInfo& info : before.tensors()) {
    ASSERT_TRUE(saved.count(info.name)) << info.name;
    EXPECT_TRUE(at::equal(saved[info.name], before.read(info.name))) << info.name;
    saved.erase(info.name);
  }
  EXPECT_TRUE(saved.empty()) << saved.begin()->first;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "generation_config.json"));
}

INSTANTIATE_TEST_SUITE_P(Cases, EncoderParity,
                         testing::Values("bert_classifier", "bert_regression", "bert_masked",
                                         "bert_masked_untied", "roberta_classifier", "roberta_masked",
                                         "distilbert_classifier", "distilbert_masked"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace galore
