// Drives the trainer update by update: step FOLDER [name=value ...], with the options of `galore train`.
//
// Trains a tiny LLaMA on sequences that count, in its own loop with its own log. It stops with a checkpoint
// when the loss is below 2, continues in a second trainer, as another process would, and leaves a model in
// FOLDER/run that transformers loads. The exit status is 0 if the loss ends below 1, and 1 if not or on an
// error.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "galore/train/trainer.h"

namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kModel = R"({"model_type": "llama", "vocab_size": 64, "hidden_size": 32,
  "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
  "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "hidden_act": "silu"})";

// Writes rows of token ids. Each row counts from another number in another step.
void write_inputs(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "model.json") << kModel;
  std::ofstream rows(folder / "rows.jsonl");
  for (int row = 0; row < 256; ++row) {
    rows << R"({"input_ids": [)";
    for (int i = 0; i < 32; ++i) rows << (i > 0 ? "," : "") << (row + i * (1 + row % 3)) % 64;
    rows << "]}\n";
  }
}

std::unique_ptr<galore::Trainer> make_trainer(const Settings& settings) {
  galore::TrainOptions options;
  galore::OptionTable table;
  galore::declare_options(table, options);
  for (const auto& [name, value] : settings) table.set("step", name, value);
  const std::vector<std::string> notes = galore::resolve(options, table);
  // The trainer's messages are dropped; metrics.jsonl is written all the same (report_to).
  const auto silence = [](const std::string&) {};
  return std::make_unique<galore::Trainer>(options, notes, galore::make_causal_lm, silence);
}

void log(const galore::StepMetrics& metrics) {
  if (metrics.step % 10 != 0) return;
  std::printf("%3ld of %ld: loss %.3f, %.0f tokens/s\n", static_cast<long>(metrics.step),
              static_cast<long>(metrics.total_steps), metrics.loss, metrics.tokens_per_second);
}

int train(const std::filesystem::path& folder, Settings settings) {
  std::unique_ptr<galore::Trainer> trainer = make_trainer(settings);
  while (!trainer->done()) {
    const galore::StepMetrics& metrics = trainer->step();
    log(metrics);
    if (metrics.loss < 2) break;
  }
  std::printf("stopped; saved %s\n", trainer->save().c_str());

  settings.emplace_back("resume_from_checkpoint", "auto");
  trainer.reset();
  trainer = make_trainer(settings);
  while (!trainer->done()) log(trainer->step());
  const galore::TrainResult result = trainer->finish();
  std::printf("loss %.3f after %ld updates; model in %s\n", result.last_loss, static_cast<long>(result.steps),
              (folder / "run").c_str());
  return result.last_loss < 1 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: step FOLDER [name=value ...]\n");
    return 2;
  }
  try {
    const std::filesystem::path folder = arguments[1];
    write_inputs(folder);
    Settings settings{{"config_name", folder / "model.json"},
                      {"train_file", folder / "rows.jsonl"},
                      {"output_dir", folder / "run"},
                      {"overwrite_output_dir", "true"},
                      {"optim", "galore_adamw"},
                      {"optim_args", "rank=8,update_proj_gap=20"},
                      {"learning_rate", "0.01"},
                      {"max_length", "32"},
                      {"max_steps", "150"},
                      {"logging_steps", "1"}};
    for (int i = 2; i < count; ++i) {
      const std::string setting = arguments[i];
      settings.emplace_back(setting.substr(0, setting.find('=')), setting.substr(setting.find('=') + 1));
    }
    return train(folder, settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step: %s\n", error.what());
    return 1;
  }
}
