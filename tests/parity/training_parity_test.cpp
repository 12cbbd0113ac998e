// Compares six updates of whole runs with a plain PyTorch loop over transformers' models, which
// make_training_vectors.py froze: schedule, accumulation, clipping and decay included.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "checkpoint/peft_directory.h"
#include "checkpoint/safetensors.h"
#include "core/options.h"
#include "core/test_folder.h"
#include "train/trainer.h"

namespace galore {
namespace {

struct TrainingCase {
  const char *name, *source;  // `source` is a model or an adapter among the checkpoints of this folder
};

std::ostream& operator<<(std::ostream& out, const TrainingCase& training) { return out << training.name; }

class TrainingParity : public testing::TestWithParam<TrainingCase> {
 protected:
  TrainingParity() : root_(Path(GALORE_PARITY_DATA) / ".."), vectors_(root_ / "training" / GetParam().name) {
    // Use one thread, because the barriers of two spin for seconds when other tests use the processors.
    at::set_num_threads(1);
    source_ = root_ / GetParam().source;
    if (is_adapter()) {
      const std::string base = read_adapter_config(source_).at("base_model_name_or_path");
      copy_without_dropout(root_ / "data" / base);
    } else {
      copy_without_dropout(source_);
    }
  }
  bool is_adapter() const { return is_adapter_directory(source_); }
  const char* weights() const { return is_adapter() ? "adapter_model.safetensors" : "model.safetensors"; }

  void copy_without_dropout(const Path& model) {
    std::filesystem::copy(model, folder_ / "base");
    auto config = nlohmann::json::parse(read_file(model / "config.json"));
    for (const char* key : {"resid_pdrop", "embd_pdrop", "attn_pdrop", "attention_dropout",
                            "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"})
      if (config.contains(key)) config[key] = 0.0;
    write_file_atomically(folder_ / "base" / "config.json", config.dump());
  }
  void train() {
    TrainOptions options;
    OptionTable table;
    declare_options(table, options);
    const auto set = [&](const std::string& line) {
      table.set("test", line.substr(0, line.find('=')), line.substr(line.find('=') + 1));
    };
    for (const std::string& line : split_list(read_file(vectors_ / "settings.txt"), '\n')) set(line);
    set("model_name_or_path=" + (folder_ / "base").string());
    set("train_file=" + (vectors_ / "rows.jsonl").string());
    set("cache_dir=" + (folder_ / "cache").string());
    set("output_dir=" + (folder_ / "run").string());
    if (is_adapter()) set("adapter_name_or_path=" + source_.string());
    const auto notes = resolve(options, table);
    testing::internal::CaptureStderr();
    Trainer(options, notes).run();
    testing::internal::GetCapturedStderr();
  }

  TestFolder folder_;
  Path root_, vectors_, source_;
};

// Both sides round in fp32, and Adam's division enlarges the rounding of small gradients.
TEST_P(TrainingParity, SixUpdates) {
  train();
  const SafetensorsReader before(source_ / weights()), after(folder_ / "run" / weights()),
      expected(vectors_ / "expected.safetensors");
  for (const TensorInfo& info : expected.tensors()) {
    const at::Tensor wanted = expected.read(info.name).to(at::kDouble);
    const auto distance = [&](const SafetensorsReader& from) {
      return (from.read(info.name).to(at::kDouble) - wanted).norm().item<double>();
    };
    // The gradient of keys' biases is 0 but for rounding, of which both sides have their own. An update moves
    // them by no more than the rate times rounding divided by Adam's epsilon, 0.01 x 1e-8 / 1e-4.
    const double way = distance(before), rounding = way < 1e-6 ? 1e-5 : 0;
    EXPECT_LE(distance(after), 5e-4 * way + rounding) << info.name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, TrainingParity,
    testing::Values(TrainingCase{"llama", "data/plain"}, TrainingCase{"llama_tied", "data/grouped_tied"},
                    TrainingCase{"llama_tied_sgd", "data/grouped_tied"}, TrainingCase{"qwen3", "data/qwen3"},
                    TrainingCase{"mistral", "data/mistral"}, TrainingCase{"gpt2", "data/gpt2"},
                    TrainingCase{"bert", "encoders/bert_classifier"},
                    TrainingCase{"bert_sgd", "encoders/bert_classifier"},
                    TrainingCase{"roberta", "encoders/roberta_classifier"},
                    TrainingCase{"lora", "adapters/lora_llama"}, TrainingCase{"dora", "adapters/dora_llama"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace galore
