#include "train/run_state.h"

#include <algorithm>
#include <iterator>

#include "checkpoint/hugging_face.h"
#include "checkpoint/layer_choice.h"
#include "checkpoint/peft_directory.h"
#include "checkpoint/run_checkpoint.h"
#include "core/errors.h"
#include "optim/lazy_lift.h"
#include "optim/quantized_weights.h"
#include "tokenizer/tokenizer_files.h"
#include "train/target_network.h"

namespace galore {
namespace {

void copy_tokenizer(const Tokenizer* tokenizer, const Path& directory) {
  if (tokenizer) replace_tokenizer_files(directory, tokenizer->files());
}

// Options that do not change results. `threads` may, but the number of threads is compared by itself.
constexpr const char* kOfNoConsequence[] = {"resume_from_checkpoint",
                                            "ignore_data_changes",
                                            "output_dir",
                                            "overwrite_output_dir",
                                            "disable_tqdm",
                                            "json",
                                            "threads",
                                            "logging_steps",
                                            "report_to",
                                            "run_name",
                                            "logging_first_step",
                                            "cache_dir",
                                            "auto_find_batch_size",
                                            "memory_limit",
                                            "memory_check",
                                            "preprocessing_num_workers",
                                            "dataloader_num_workers"};
constexpr const char *kRecentLoss = "recent_loss.", *kTokensFingerprint = "data_tokens_fingerprint",
                     *kRowsFingerprint = "data_rows_fingerprint", *kNumSources = "data_sources";
const std::string kMixture = "mixture.";

std::string source_counter(size_t source, const char* name) {
  return fmt::format("source{}.{}", source, name);
}

TrainerState trainer_state_of(const RunState& state) {
  TrainerState trainer;
  trainer.global_step = state.step;
  trainer.max_steps = state.max_steps;
  trainer.epoch = state.epoch;
  trainer.log_history = state.history;
  trainer.best_metric = state.best_metric;
  trainer.best_model_checkpoint = state.best_checkpoint;
  trainer.counters = {{"tokens_seen", state.tokens_seen},
                      {"threads", state.threads},
                      {kTokensFingerprint, state.data_fingerprint.tokens},
                      {kRowsFingerprint, state.data_fingerprint.rows},
                      {"window_updates", state.window.updates},
                      {"window_skipped", state.window.skipped},
                      {"spikes_in_a_row", state.spikes.in_a_row}};
  DataPosition::visit(state.data, [&](const char* name, int64_t number) { trainer.counters[name] = number; });
  for (size_t k = 0; k < state.data.sources.size(); ++k)
    DataPosition::visit(state.data.sources[k], [&](const char* name, int64_t number) {
      trainer.counters[source_counter(k, name)] = number;
    });
  if (!state.data.sources.empty()) trainer.counters[kNumSources] = std::ssize(state.data.sources);
  trainer.numbers = {{"window_loss", state.window.sum}};
  if (state.best_checkpoint_metric) trainer.numbers["best_checkpoint_metric"] = *state.best_checkpoint_metric;
  for (size_t i = 0; i < state.spikes.recent.size(); ++i)
    trainer.numbers[fmt::format("{}{:03}", kRecentLoss, i)] = state.spikes.recent[i];
  for (const auto& [name, number] : state.mixture) trainer.numbers[kMixture + name] = number;
  trainer.settings = state.configuration;
  return trainer;
}

// If a run was moved, its best checkpoint has another path: we look for it next to `checkpoint` too.
std::string best_checkpoint_of(const TrainerState& trainer, const Path& checkpoint) {
  const Path best = trainer.best_model_checkpoint;
  if (best.empty() || is_complete_checkpoint(best)) return best.string();
  const Path beside =
      std::filesystem::absolute(checkpoint).lexically_normal().parent_path() / best.filename();
  return is_complete_checkpoint(beside) ? beside.string() : "";
}

int64_t counter(const TrainerState& trainer, const Path& checkpoint, const char* name) {
  const auto found = trainer.counters.find(name);
  if (found == trainer.counters.end())
    fail("resume", "{}: expected '{}' in trainer_state.json: the checkpoint is not one of galore",
         checkpoint.string(), name);
  return found->second;
}

void load_model_files(const Path& checkpoint, TrainableModel& model) {
  if (has_peft_adapter(model)) return load_adapter(checkpoint, model);
  load_with_layers(checkpoint, model);
}

// The default serves checkpoints of earlier versions, which lack some values.
template <typename T>
T value_or(const std::map<std::string, T>& values, const char* name, T otherwise) {
  const auto found = values.find(name);
  return found == values.end() ? otherwise : found->second;
}

DataPosition read_position(const TrainerState& trainer, const Path& checkpoint) {
  DataPosition position;
  DataPosition::visit(position, [&](const char* name, int64_t& number) {
    number = std::string_view(name).starts_with("stream_") ? value_or<int64_t>(trainer.counters, name, 0)
                                                           : counter(trainer, checkpoint, name);
  });
  position.sources.resize(static_cast<size_t>(value_or<int64_t>(trainer.counters, kNumSources, 0)));
  for (size_t k = 0; k < position.sources.size(); ++k)
    DataPosition::visit(position.sources[k], [&](const char* name, int64_t& number) {
      number = counter(trainer, checkpoint, source_counter(k, name).c_str());
    });
  return position;
}

}  // namespace

Path save_checkpoint(const Path& output_dir, const RunParts& parts, const RunState& state,
                     const StateWriter& optimizer) {
  CheckpointWriter writer(output_dir, state.step);
  save_final_model(writer.directory(), parts);
  if (parts.optimizer) {
    optimizer.write(writer.directory() / kOptimizerName);
    write_rng_state(writer.directory() / kRngStateName, {{"seed", parts.optimizer->options().seed}});
  }
  if (parts.target) {
    StateWriter target;
    parts.target->visit(target);
    target.write(writer.directory() / kTargetNetworkName);
  }
  write_trainer_state(writer.directory() / kTrainerStateName, trainer_state_of(state));
  return writer.commit();
}

void save_final_model(const Path& directory, const RunParts& parts) {
  copy_tokenizer(parts.tokenizer, directory);
  if (std::error_code ignored; std::filesystem::is_regular_file(parts.chat_template, ignored)) {
    std::filesystem::create_directories(directory);
    write_file_atomically(directory / "chat_template.jinja", read_file(parts.chat_template));
  }
  if (has_peft_adapter(parts.model)) return save_adapter(directory, parts.model, parts.base);
  save_model(directory, parts.model.config(), parts.model.parameters(), parts.dtype);
  write_layer_choice(directory, parts.model);
}

std::optional<Path> checkpoint_to_resume(const std::string& resume_from, const Path& output_dir) {
  if (resume_from.empty() || resume_from == "false") return std::nullopt;
  if (resume_from != "true" && resume_from != "auto") {
    if (!is_complete_checkpoint(resume_from))
      fail("resume_from_checkpoint", "'{}' is no complete checkpoint: it has no trainer_state.json",
           resume_from);
    return resume_from;
  }
  const auto latest = find_latest(output_dir);
  if (!latest && resume_from == "true")
    fail("resume_from_checkpoint", "there is no checkpoint in {}; auto begins a new run there",
         output_dir.string());
  return latest;
}

RunState read_run_state(const Path& checkpoint) {
  if (std::filesystem::exists(checkpoint / "optimizer.pt"))
    fail("resume",
         "{} is a checkpoint of transformers' Trainer, whose optimizer state is not read: start a new run "
         "with "
         "model_name_or_path={}",
         checkpoint.string(), checkpoint.string());
  if (!std::filesystem::exists(checkpoint / kOptimizerName))
    fail("resume", "{} has no {}: it was saved with save_only_model and cannot be resumed",
         checkpoint.string(), kOptimizerName);
  const TrainerState trainer = read_trainer_state(checkpoint / kTrainerStateName);
  RunState state;
  state.step = trainer.global_step;
  state.max_steps = trainer.max_steps;
  state.epoch = trainer.epoch;
  state.history = trainer.log_history;
  state.best_metric = trainer.best_metric;
  state.best_checkpoint = best_checkpoint_of(trainer, checkpoint);
  state.data = read_position(trainer, checkpoint);
  state.data_fingerprint = {value_or<int64_t>(trainer.counters, kTokensFingerprint, 0),
                            value_or<int64_t>(trainer.counters, kRowsFingerprint, 0)};
  state.tokens_seen = counter(trainer, checkpoint, "tokens_seen");
  state.threads = value_or<int64_t>(trainer.counters, "threads", 0);
  state.window = {value_or(trainer.numbers, "window_loss", 0.0),
                  value_or<int64_t>(trainer.counters, "window_updates", 0),
                  value_or<int64_t>(trainer.counters, "window_skipped", 0)};
  state.spikes.in_a_row = value_or<int64_t>(trainer.counters, "spikes_in_a_row", 0);
  for (const auto& [name, value] : trainer.numbers)
    if (name.starts_with(kRecentLoss))
      state.spikes.recent.push_back(value);
    else if (name.starts_with(kMixture))
      state.mixture[name.substr(kMixture.size())] = value;
  const auto best = trainer.numbers.find("best_checkpoint_metric");
  if (!state.best_checkpoint.empty() && best != trainer.numbers.end())
    state.best_checkpoint_metric = best->second;
  state.configuration = trainer.settings;
  return state;
}

void load_model(const Path& checkpoint, TrainableModel& model) {
  load_model_files(checkpoint, model);
  if (!std::filesystem::exists(checkpoint / kOptimizerName)) return;
  StateReader optimizer(checkpoint / kOptimizerName);
  for (Parameter* parameter : model.parameters())
    // With a lazy lift, the weight is the codes plus the update that is not yet folded in.
    if (parameter->codes && !parameter->codes->format.fixed && !optimizer.has(lifted_name(parameter->name)))
      visit_codes(*parameter, optimizer);
}

void load_checkpoint(const Path& checkpoint, const RunParts& parts) {
  load_model_files(checkpoint, parts.model);
  parts.optimizer->follow_sizes();
  StateReader optimizer(checkpoint / kOptimizerName);
  parts.optimizer->visit(optimizer);
  optimizer.finish();
  if (!parts.target) return;
  if (!std::filesystem::exists(checkpoint / kTargetNetworkName))
    fail("resume", "{} has no {}: expected target_network=none, as in the run that saved it",
         checkpoint.string(), kTargetNetworkName);
  StateReader target(checkpoint / kTargetNetworkName);
  parts.target->visit(target);
  target.finish();
}

std::vector<std::string> changed_options(const std::map<std::string, std::string>& before,
                                         const std::map<std::string, std::string>& now) {
  std::vector<std::string> changes;
  for (const auto& [name, value] : now) {
    const auto old = before.find(name);
    if (std::count(std::begin(kOfNoConsequence), std::end(kOfNoConsequence), name) > 0) continue;
    if (old != before.end() && old->second != value)
      changes.push_back(
          fmt::format("{} was '{}' in the checkpoint and is '{}' now", name, old->second, value));
  }
  return changes;
}

}  // namespace galore
