// galore score: predictions for rows without targets, such as values of states and rewards of answers.
#include <ATen/ATen.h>
#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "core/files.h"
#include "data/row_batch_source.h"
#include "kernels/device.h"
#include "tasks/task.h"
#include "train/evaluation.h"
#include "train/inputs.h"
#include "train/run_builder.h"

namespace galore {
namespace {

struct ScoreOptions {
  ModelSource model;
  DataOptions data;
  MachineOptions machine;
  std::vector<std::string> files;
  std::string output_file;
  bool distribution = false, every_token = false;
};

void declare_score_options(OptionTable& table, ScoreOptions& o) {
  table.add("model_name_or_path", &o.model.model_name_or_path, "directory of a model with a value head");
  declare_adapter_path(table, o.model);
  table.add("tokenizer_name", &o.model.tokenizer_name, "tokenizer directory or file; default: the model's");
  table.add("output_file", &o.output_file, "write the scores into this file; default: print them");
  table.add("distribution", &o.distribution, "add the values and probabilities that the head predicts");
  table.add("every_token", &o.every_token, "score every token; default: the last one");
  table
      .add("max_length", &o.data.max_length,
           "tokens in a row; unset: 256, or the model's positions if it has fewer")
      .range(2, 1e9)
      .alias("cutoff_len");
  table.add("per_device_eval_batch_size", &o.data.per_device_eval_batch_size, "rows in a batch")
      .range(1, 1e9)
      .alias("batch_size");
  table.add("dtype", &o.model.dtype, "number format of the weights in memory")
      .choices({"float32", "bfloat16"});
  table.add("device", &o.machine.device, "auto, cpu, cuda or cuda:N");
  table.add("threads", &o.machine.threads, "number of threads; 0: one for each processor").range(0, 4096);
}

// Returns the numbers of one place that a head gives probabilities, and these: locations of a categorical
// head, quantiles of equal mass, or the one number of a scalar head.
nlohmann::ordered_json distribution_of(const ValueSupport& support, const at::Tensor& outputs) {
  const at::Tensor wide = outputs.to(at::kDouble).contiguous();
  const auto list = [](const at::Tensor& numbers) {
    return std::vector<double>(numbers.const_data_ptr<double>(),
                               numbers.const_data_ptr<double>() + numbers.numel());
  };
  if (!support.is_categorical())
    return {{"values", list(wide)},
            {"probs", std::vector<double>(static_cast<size_t>(wide.numel()),
                                          1.0 / static_cast<double>(wide.numel()))}};
  return {{"values", locations(support)}, {"probs", list(wide.softmax(0))}};
}

// Adds the distribution of each place to the row that it belongs to; a row of one place gets it alone.
class ScoreWriter {
 public:
  ScoreWriter(const Task& task, const HeadConfig& head, bool distribution)
      : task_(task), head_(head), distribution_(distribution) {}

  void take(const Batch& batch, const Predictions& predictions) {
    int64_t place = 0;
    task_.write_rows(batch, predictions, head_, [&](nlohmann::ordered_json row) {
      row.erase("loss");  // there are no targets
      const int64_t count = row["value"].is_array() ? static_cast<int64_t>(row["value"].size()) : 1;
      nlohmann::ordered_json all = nlohmann::ordered_json::array();
      for (int64_t i = 0; distribution_ && i < count; ++i, ++place)
        all.push_back(distribution_of(head_.value, predictions.values[place]));
      if (distribution_) row["distribution"] = row["value"].is_array() ? all : all[0];
      text_ += row.dump() + "\n";
    });
  }
  const std::string& text() const { return text_; }

 private:
  const Task& task_;
  const HeadConfig& head_;
  bool distribution_;
  std::string text_;
};

}  // namespace

int score_command(const Arguments& arguments) {
  ScoreOptions options;
  OptionTable table;
  declare_score_options(table, options);
  Arguments rest = arguments;
  while (const auto file = rest.take_word()) options.files.push_back(*file);
  if (!parse_arguments("score", table, rest)) return 0;
  if (options.model.model_name_or_path.empty()) fail_usage("score", "expected --model_name_or_path DIR");
  if (options.files.empty()) fail_usage("score", "expected a file of rows: galore score FILE");
  resolve_base_model(options.model);
  set_threads(options.machine.threads);
  const ModelConfig config = model_config_of(options.model);
  if (!config.head.has_values())
    fail_usage("score",
               "expected a model with a value head, given one for {}; galore eval "
               "--predictions_file writes its predictions",
               task_of(config.head));
  const Task& task = find_task(task_of(config.head));
  const auto say = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  std::vector<std::string> notes;
  fit_max_length(options.data, config, table.was_set("max_length"), notes);
  for (const std::string& note : notes) say("note: " + note);
  const auto tokenizer = tokenizer_of(options.model);
  const auto data = open_rows_to_score(
      options.files, options.data,
      {config, tokenizer.get(), options.data.max_length, false, false, options.every_token}, task);
  const RunObjects run = build_model(config, model_options(options.model, options.machine.device),
                                     device_of(options.machine.device));
  const std::string note = set_weights(*run.model, options.model, options.machine.seed);
  if (!note.empty()) say("note: " + note);
  ScoreWriter writer(task, config.head, options.distribution);
  evaluate(*run.model, task, *data, 0, {},
           [&](const Batch& batch, const Predictions& predictions) { writer.take(batch, predictions); });
  if (options.output_file.empty())
    fmt::print("{}", writer.text());
  else
    write_file_atomically(options.output_file, writer.text());
  return 0;
}

}  // namespace galore
