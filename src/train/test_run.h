// A folder with the configuration of a tiny LLaMA and tokens, and runs in it, for tests.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "adapters/adapted_layers.h"
#include "checkpoint/run_checkpoint.h"
#include "checkpoint/safetensors.h"
#include "core/random.h"
#include "core/test_folder.h"
#include "core/test_message.h"
#include "train/memory_plan.h"
#include "train/run_builder.h"
#include "train/trainer.h"

namespace galore {

inline constexpr int64_t kTinyVocabulary = 64;

inline constexpr const char* kTinyConfig = R"({"model_type": "llama", "vocab_size": 64, "hidden_size": 32,
  "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
  "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "hidden_act": "silu"})";

// Returns a sequence in which the next token mostly follows from the last one, so that there is something to
// learn.
inline std::vector<int> tiny_tokens(int64_t count, uint64_t seed) {
  RandomStream random(seed, "test tokens");
  std::vector<int> tokens;
  for (int64_t i = 0, token = 5; i < count; ++i) {
    tokens.push_back(static_cast<int>(token));
    token = random.uniform() < 0.9 ? (3 * token + 1) % kTinyVocabulary
                                   : static_cast<int64_t>(random.below(kTinyVocabulary));
  }
  return tokens;
}

inline void write_tokens(const Path& path, const std::vector<int>& tokens) {
  std::ofstream file(path, std::ios::binary);
  for (const int token : tokens) file.put(static_cast<char>(token & 0xff)).put(static_cast<char>(token >> 8));
}

inline std::string file_text(const Path& path) { return read_file(path); }

class TestRun : public testing::Test {
 protected:
  using Settings = std::vector<std::string>;

  TestRun() {
    // Use one thread, because the barriers of two spin for seconds when other tests use the processors.
    at::set_num_threads(1);
    write_file_atomically(folder_ / "tiny.json", kTinyConfig);
    write_tokens(folder_ / "train.bin", tiny_tokens(1200, 1));
    write_tokens(folder_ / "eval.bin", tiny_tokens(300, 2));
  }

  // Returns the settings of every run, which precede its own. 1200 tokens in rows of 16 are 75 rows per
  // epoch.
  Settings base() const {
    return {"config_name=" + (folder_ / "tiny.json").string(),
            "train_file=" + (folder_ / "train.bin").string(),
            "cache_dir=" + (folder_ / "cache").string(),
            "max_length=16",
            "per_device_train_batch_size=4",
            "learning_rate=0.01",
            "optim_args=rank=8,update_proj_gap=4",
            "logging_steps=1"};
  }
  // Returns the settings with more behind them.
  static Settings joined(Settings settings, const Settings& more) {
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
  }
  std::string output(const std::string& name) const { return "output_dir=" + (folder_ / name).string(); }
  std::string eval_file() const { return "eval_file=" + (folder_ / "eval.bin").string(); }

  // Declares base() and `settings`; a later setting overrides an earlier one.
  void declare_settings(const Settings& settings, TrainOptions& options, OptionTable& table) const {
    declare_options(table, options);
    for (const Settings& part : {base(), settings})
      for (const std::string& setting : part)
        table.set("test", setting.substr(0, setting.find('=')), setting.substr(setting.find('=') + 1));
  }
  // Declares and resolves base() and `settings`. Returns the notes.
  auto resolve_settings(const Settings& settings, TrainOptions& options, OptionTable& table) const {
    declare_settings(settings, options, table);
    return resolve(options, table);
  }

  // Builds the model of base() and `settings` with its first weights.
  RunObjects build(const Settings& settings) const {
    TrainOptions options;
    OptionTable table;
    resolve_settings(settings, options, table);
    RunObjects run = build_model(model_config_of(options), model_options(options), at::kCPU);
    set_weights(*run.model, options, options.seed);
    return run;
  }

  // Runs base() and `settings`; a later setting overrides an earlier one. The output is in log_.
  TrainResult train(const Settings& settings, const Trainer::MakeModel& make_model = galore::make_model) {
    testing::internal::CaptureStderr();
    try {
      TrainOptions options;
      OptionTable table;
      const auto notes = resolve_settings(settings, options, table);
      const TrainResult result = Trainer(options, notes, make_model).run();
      log_ = testing::internal::GetCapturedStderr();
      return result;
    } catch (...) {
      log_ = testing::internal::GetCapturedStderr();
      throw;
    }
  }

  // Trains in the folder "whole", and in "resumed" from the checkpoint of `step` of the first run.
  void train_and_resume(const Settings& settings, int64_t step) {
    Settings whole = settings, resumed = settings;
    whole.push_back(output("whole"));
    resumed.push_back(output("resumed"));
    resumed.push_back("resume_from_checkpoint=" +
                      (folder_ / "whole" / ("checkpoint-" + std::to_string(step))).string());
    train(whole);
    train(resumed);
  }
  // Expects the same bytes in a file of the folders "whole" and "resumed".
  void expect_resumed(const std::string& file, const std::string& what) const {
    EXPECT_EQ(file_text(folder_ / "whole" / file), file_text(folder_ / "resumed" / file)) << what << file;
  }

  // Returns the events of a run's metrics.jsonl with this name. Every line must be valid JSON.
  std::vector<nlohmann::json> events(const std::string& run, const std::string& name) const {
    std::vector<nlohmann::json> found;
    std::ifstream file(folder_ / run / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      const auto event = nlohmann::json::parse(line);
      if (event.at("event") == name) found.push_back(event);
    }
    return found;
  }
  std::vector<int64_t> steps_of(const std::string& run, const std::string& name) const {
    std::vector<int64_t> steps;
    for (const auto& event : events(run, name)) steps.push_back(event.at("step"));
    return steps;
  }
  std::vector<int64_t> checkpoints(const std::string& run) const {
    std::vector<int64_t> steps;
    for (const CheckpointEntry& entry : list_checkpoints(folder_ / run)) steps.push_back(entry.step);
    return steps;
  }
  // Expects that the memory plan of a run with these settings equals the memory of five updates, owner by
  // owner.
  void expect_plan(const Settings& settings, int64_t micro_batches) const {
    TrainOptions options;
    OptionTable table;
    resolve_settings(settings, options, table);
    const ModelConfig config = model_config_of(options);
    const MemoryPlan plan =
        plan_memory(config, model_options(options), options.optimizer, {4, 0, 16, micro_batches});
    Ledger ledger(at::kCPU);
    const auto model = make_causal_lm(config, model_options(options), ledger);
    model->initialize(1);
    if (const AdaptedLayers* adapted = model->adapted()) adapted->initialize(1);
    model->set_dropout({});
    Workspace workspace(ledger);
    Optimizer optimizer(model->parameters(), options.optimizer, workspace);
    const at::Tensor ids = at::arange(64, at::kLong).view({4, 16});
    for (int update = 0; update < 5; ++update) {
      optimizer.begin_update(0.01, micro_batches);
      for (int64_t i = 0; i < micro_batches; ++i) model->train_step(ids, ids, 0.01);
      optimizer.finish_update();
    }
    for (int i = 0; i < kNumOwners; ++i) {
      const Owner owner = static_cast<Owner>(i);
      // A plan counts the upper bound of the needs of orthonormalization: 64 bytes for each row of the
      // longest matrix, which has 96 rows.
      const int64_t planned = plan.bytes[static_cast<size_t>(i)], taken = ledger.bytes(owner);
      const int64_t more = owner == Owner::workspace ? 64 * 96 : 0;
      EXPECT_TRUE(taken <= planned && planned <= taken + more)
          << owner_name(owner) << ": planned " << planned << ", taken " << taken;
    }
  }
  std::string weights(const std::string& directory) const {
    return file_text(folder_ / directory / "model.safetensors");
  }
  // Returns the largest difference of two elements of the models in these directories.
  double difference(const std::string& one, const std::string& other) const {
    const SafetensorsReader first(folder_ / one / "model.safetensors"),
        second(folder_ / other / "model.safetensors");
    double largest = 0;
    for (const TensorInfo& info : first.tensors())
      largest = std::max(
          largest, (first.read(info.name) - second.read(info.name)).abs().max().template item<double>());
    return largest;
  }

  TestFolder folder_;
  std::string log_;
};

}  // namespace galore
