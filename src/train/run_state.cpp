#include "train/run_state.h"

#include "checkpoint/hugging_face.h"
#include "checkpoint/run_checkpoint.h"
#include "core/errors.h"

namespace galore {
namespace {

void copy_tokenizer(const Tokenizer* tokenizer, const Path& directory) {
  if (!tokenizer) return;
  for (const Path& file : tokenizer->files()) {
    const Path target = directory / file.filename();
    std::error_code ignored;
    if (std::filesystem::equivalent(file, target, ignored)) continue;
    write_file_atomically(target, read_file(file));
  }
}

TrainerState trainer_state_of(const RunState& state) {
  TrainerState trainer;
  trainer.global_step = state.step;
  trainer.max_steps = state.max_steps;
  trainer.epoch = state.epoch;
  trainer.log_history = state.history;
  trainer.best_metric = state.best_metric;
  trainer.best_model_checkpoint = state.best_checkpoint;
  trainer.counters = {
      {"data_epoch", state.data.epoch}, {"data_index", state.data.index}, {"tokens_seen", state.tokens_seen}};
  trainer.settings = state.configuration;
  return trainer;
}

int64_t counter(const TrainerState& trainer, const Path& checkpoint, const char* name) {
  const auto found = trainer.counters.find(name);
  if (found == trainer.counters.end())
    fail("resume", "{}: expected '{}' in trainer_state.json: the checkpoint is not one of galore",
         checkpoint.string(), name);
  return found->second;
}

}  // namespace

Path save_checkpoint(const Path& output_dir, const RunParts& parts, const RunState& state) {
  CheckpointWriter writer(output_dir, state.step);
  save_final_model(writer.directory(), parts);
  if (parts.optimizer) {
    StateWriter optimizer;
    parts.optimizer->visit(optimizer);
    optimizer.write(writer.directory() / kOptimizerName);
    write_rng_state(writer.directory() / kRngStateName, {{"seed", parts.optimizer->options().seed}});
  }
  write_trainer_state(writer.directory() / kTrainerStateName, trainer_state_of(state));
  return writer.commit();
}

void save_final_model(const Path& directory, const RunParts& parts) {
  copy_tokenizer(parts.tokenizer, directory);
  save_model(directory, parts.model.config(), parts.model.parameters(), parts.dtype);
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
    fail("resume_from_checkpoint", "there is no checkpoint in {}", output_dir.string());
  return latest;
}

RunState load_checkpoint(const Path& checkpoint, const RunParts& parts) {
  if (!std::filesystem::exists(checkpoint / kOptimizerName))
    fail("resume", "{} has no {}: it was saved with save_only_model and cannot be resumed",
         checkpoint.string(), kOptimizerName);
  const TrainerState trainer = read_trainer_state(checkpoint / kTrainerStateName);
  load_weights(checkpoint, parts.model.parameters());
  StateReader optimizer(checkpoint / kOptimizerName);
  parts.optimizer->visit(optimizer);
  optimizer.finish();
  RunState state;
  state.step = trainer.global_step;
  state.max_steps = trainer.max_steps;
  state.epoch = trainer.epoch;
  state.history = trainer.log_history;
  state.best_metric = trainer.best_metric;
  state.best_checkpoint = trainer.best_model_checkpoint;
  state.data = {counter(trainer, checkpoint, "data_epoch"), counter(trainer, checkpoint, "data_index")};
  state.tokens_seen = counter(trainer, checkpoint, "tokens_seen");
  state.configuration = trainer.settings;
  return state;
}

std::vector<std::string> changed_options(const std::map<std::string, std::string>& before,
                                         const std::map<std::string, std::string>& now) {
  std::vector<std::string> changes;
  for (const auto& [name, value] : now) {
    const auto old = before.find(name);
    if (name == "resume_from_checkpoint" || name == "output_dir") continue;
    if (old != before.end() && old->second != value)
      changes.push_back(
          fmt::format("{} was '{}' in the checkpoint and is '{}' now", name, old->second, value));
  }
  return changes;
}

}  // namespace galore
