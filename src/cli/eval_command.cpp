#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/errors.h"
#include "core/files.h"
#include "kernels/device.h"
#include "tasks/task.h"
#include "train/evaluation.h"
#include "train/inputs.h"
#include "train/reference_scores.h"
#include "train/run_builder.h"

namespace galore {
namespace {

struct EvalOptions {
  // Tokens are masked as in the evaluations of a run with the default seed.
  EvalOptions() { data.data_seed = machine.seed; }

  ModelSource model;
  TaskOptions task;
  DataOptions data;
  MachineOptions machine;
  int64_t max_batches = 0;
  std::string predictions_file;
  bool json = false;
};

void declare_eval_options(OptionTable& table, EvalOptions& o) {
  table.add("model_name_or_path", &o.model.model_name_or_path, "Hugging Face directory or checkpoint");
  table.add("tokenizer_name", &o.model.tokenizer_name, "tokenizer directory or file; default: the model's");
  table.add("eval_file", &o.data.eval_file,
            ".txt, .jsonl, .parquet (if built in) or .bin, one or many, globs");
  table
      .add("max_length", &o.data.max_length,
           "tokens in a row; unset: 256, or the model's positions if it has fewer")
      .range(2, 1e9)
      .alias("cutoff_len");
  declare_stage(table, o.task);
  declare_task(table, o.task);
  declare_chat(table, o.data);
  declare_preferences(table, o.task);
  declare_adapter_path(table, o.model);
  declare_quantization(table, o.model);
  declare_packing(table, o.data);
  declare_format(table, o.data);
  table.add("per_device_eval_batch_size", &o.data.per_device_eval_batch_size, "rows in a batch")
      .range(1, 1e9)
      .alias("batch_size");
  table.add("mlm_probability", &o.data.mlm_probability, "masked_lm: share of the tokens that are predicted")
      .range(0, 1);
  table.add("max_batches", &o.max_batches, "largest number of batches; 0: all").range(0, 1e15);
  table.add("dtype", &o.model.dtype, "number format of the weights in memory")
      .choices({"float32", "bfloat16"});
  table.add("cache_dir", &o.data.cache_dir, "folder that keeps tokens; default: ~/.cache/galore");
  table.add("device", &o.machine.device, "auto, cpu, cuda or cuda:N");
  table.add("threads", &o.machine.threads, "number of threads; 0: one for each processor").range(0, 4096);
  table.add("predictions_file", &o.predictions_file, "write a JSON object for each row into this file");
  table.add("json", &o.json, "print one JSON object");
}

void print_evaluation_json(const Evaluation& result) {
  nlohmann::ordered_json json;
  for (const Metric& metric : result.metrics) json[metric.name] = metric.value;
  json.update(
      {{"num_tokens", result.num_tokens}, {"num_batches", result.num_batches}, {"seconds", result.seconds}});
  fmt::print("{}\n", json.dump());
}

// A metric that is not defined for these rows or this head (NaN) is left out, as in a run's log.
void print_evaluation(const Evaluation& result) {
  for (const Metric& metric : result.metrics)
    if (!std::isnan(metric.value))
      fmt::print("{}{}{}\n", text_of(metric), metric.note.empty() ? "" : " ", metric.note);
  fmt::print("tokens {}\n", result.num_tokens);
}

// A prediction belongs to one row of the file, so documents must not share rows of a batch.
void take_rows_apart(EvalOptions& options, OptionTable& table) {
  if (options.predictions_file.empty()) return;
  if (table.was_set("packing") && (options.data.packing || !options.data.packing_word.empty()))
    fail_usage("packing", "expected false with predictions_file");
  options.data.packing = false;
}

RunObjects load_model(const EvalOptions& options, const ModelConfig& config, const DataMessages& say) {
  ModelOptions model = model_options(options.model, options.machine.device);
  model.loss = preference_loss(options.task);
  RunObjects run = build_model(config, model, device_of(options.machine.device));
  const std::string note = set_weights(*run.model, options.model, options.machine.seed);
  if (!note.empty()) say("note: " + note);
  return run;
}

}  // namespace

int eval_command(const Arguments& arguments) {
  EvalOptions options;
  OptionTable table;
  declare_eval_options(table, options);
  if (!parse_arguments("eval", table, arguments)) return 0;
  if (options.model.model_name_or_path.empty()) fail_usage("eval", "expected --model_name_or_path DIR");
  if (options.data.eval_file.empty()) fail_usage("eval", "expected --eval_file FILE");
  resolve_base_model(options.model);
  options.data.instruction_rows = options.task.stage == "sft";
  set_threads(options.machine.threads);
  const ModelConfig config = model_config_of(options.model);
  settle_task(options.task, config, table);
  const Task& task = find_task(options.task.task, options.task.task_name);
  require_head_for(task, config.head);
  take_rows_apart(options, table);
  std::vector<std::string> notes;
  resolve_quantization(options.model, notes);
  fit_max_length(options.data, config, table.was_set("max_length"), notes);
  const auto say = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  for (const std::string& note : notes) say("note: " + note);
  const auto tokenizer = tokenizer_of(options.model);
  // The reference is freed before the model is loaded.
  const auto data = open_eval_data(options.data, tokenizer.get(), config, say, task,
                                   reference_scores({options.model, options.task, options.machine.device,
                                                     options.machine.seed, task, say}));
  const RunObjects run = load_model(options, config, say);
  std::string predictions;
  TakePredictions take;
  if (!options.predictions_file.empty())
    take = [&](const Batch& batch, const Predictions& of_batch) {
      task.write_rows(batch, of_batch, config.head,
                      [&](const nlohmann::ordered_json& row) { predictions += row.dump() + "\n"; });
    };
  const Evaluation result = evaluate(*run.model, task, *data, options.max_batches, {}, take);
  if (take) write_file_atomically(options.predictions_file, predictions);
  require_count(result.num_tokens, options.data.eval_file.front());
  options.json ? print_evaluation_json(result) : print_evaluation(result);
  return 0;
}

}  // namespace galore
