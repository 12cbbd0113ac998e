#include "train/checkpoint_keeper.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <map>

#include "checkpoint/gathered_state.h"
#include "checkpoint/run_checkpoint.h"
#include "core/errors.h"
#include "train/distribution.h"

namespace galore {
namespace {

// Runs `load`, which reads `checkpoint`. An error also names the checkpoint before, because the newest one
// may be damaged.
template <typename Load>
auto with_way_on(const Path& checkpoint, const Load& load) {
  try {
    return load();
  } catch (const Error& error) {
    const Path folder = std::filesystem::absolute(checkpoint).lexically_normal().parent_path();
    std::optional<Path> before;
    for (const CheckpointEntry& entry : list_checkpoints(folder)) {
      std::error_code ignored;
      if (std::filesystem::equivalent(entry.path, checkpoint, ignored)) break;
      before = entry.path;
    }
    if (!before) throw;
    throw Error(
        fmt::format("{}; if {} is damaged, resume_from_checkpoint={} with overwrite_output_dir=true "
                    "goes on from the one before",
                    error.what(), checkpoint.string(), before->string()));
  }
}

RunState first_state_of(const std::optional<Path>& resumed) {
  return resumed ? with_way_on(*resumed, [&] { return read_run_state(*resumed); }) : RunState();
}

}  // namespace

CheckpointKeeper::CheckpointKeeper(const EventOptions& options, const MetricKind& best_by,
                                   Collective& collective)
    : options_(options), best_by_(best_by) {
  in_first(collective, [this] {
    resumed_ = checkpoint_to_resume(options_.resume_from_checkpoint, options_.output_dir);
    first_state_ = first_state_of(resumed_);
    folder_.emplace(options_.output_dir, resumed_, first_state_.step, options_.overwrite_output_dir);
  });
  const std::string resumed = collective.text_of_first(resumed_ ? resumed_->string() : "");
  if (collective.index() == 0) return;
  if (!resumed.empty()) resumed_ = resumed;
  if (resumed_ && !is_complete_checkpoint(*resumed_))
    fail("distributed", "rank {} does not see {}: expected a folder that all processes share",
         collective.index(), resumed);
  first_state_ = first_state_of(resumed_);
}

void CheckpointKeeper::resume(const RunParts& parts, RunState& state, RunLog& log) {
  for (const std::string& line : changed_options(first_state_.configuration, state.configuration))
    log.say("note: " + line);
  if (first_state_.threads > 0 && first_state_.threads != at::get_num_threads())
    log.say(
        fmt::format("note: {} threads computed until the checkpoint, {} go on: sums may be rounded "
                    "differently",
                    first_state_.threads, at::get_num_threads()));
  with_way_on(*resumed_, [&] { load_checkpoint(*resumed_, parts); });
  const auto metric = first_state_.configuration.find("metric_for_best_model");
  if (metric != first_state_.configuration.end() && metric->second != options_.metric_for_best_model) {
    state.best_metric = state.best_checkpoint_metric = std::nullopt;
    state.best_checkpoint.clear();
  }
  std::error_code ignored;
  if (std::filesystem::equivalent(*resumed_, checkpoint_path(options_.output_dir, state.step), ignored))
    saved_step_ = state.step;
  log.say(fmt::format("resumed {} at step {}", resumed_->string(), state.step));
}

void CheckpointKeeper::clear_folder(RunLog& log) const {
  if (!folder_) return;
  for (const std::string& line : folder_->clear()) log.say(line);
}

bool CheckpointKeeper::is_better(double metric, const std::optional<double>& best) const {
  if (!std::isfinite(metric)) return false;
  return !best || (best_by_.larger_is_better ? metric > *best : metric < *best);
}

void CheckpointKeeper::judge(const Evaluation& evaluation, RunState& state) {
  judged_ = {state.step, evaluation.value(best_by_.name)};
  if (is_better(judged_.metric, state.best_metric)) state.best_metric = judged_.metric;
  if (is_saved(state)) adopt_best(state);
}

bool CheckpointKeeper::is_best(const RunState& state) const {
  return judged_.step == state.step && is_better(judged_.metric, state.best_checkpoint_metric);
}

void CheckpointKeeper::adopt_best(RunState& state) {
  if (!is_best(state)) return;
  state.best_checkpoint_metric = judged_.metric;
  state.best_checkpoint = checkpoint_path(options_.output_dir, state.step).string();
}

Path CheckpointKeeper::save(const RunParts& parts, RunState& state, Collective& collective) {
  adopt_best(state);
  GatheredState optimizer(collective);
  if (parts.optimizer) parts.optimizer->visit(optimizer);
  optimizer.meet();
  const auto save = [&] {
    save_checkpoint(options_.output_dir, parts, state, optimizer);
    prune(options_.output_dir, options_.save_total_limit, state.best_checkpoint);
  };
  in_first(collective, save, [&] { optimizer.serve(); });
  saved_step_ = state.step;
  return checkpoint_path(options_.output_dir, state.step);
}

void CheckpointKeeper::load_best(TrainableModel& model, const RunState& state, RunLog& log) const {
  if (!options_.load_best_model_at_end) return;
  if (state.best_checkpoint.empty() || !is_complete_checkpoint(state.best_checkpoint))
    return log.say(
        "load_best_model_at_end: no evaluated checkpoint was saved; the last model is that of the end");
  load_model(state.best_checkpoint, model);
  log.say("the last model is that of " + state.best_checkpoint);
}

template <typename Visit>
void CheckpointKeeper::visit_metrics(const RunState& state, const Visit& visit) const {
  for (const LogEntry& entry : state.history) {
    const std::map<std::string, double> values(entry.begin(), entry.end());
    const auto found = values.find(best_by_.name);
    if (found != values.end()) visit(static_cast<int64_t>(values.at("step")), found->second);
  }
}

bool CheckpointKeeper::ran_out_of_patience(const RunState& state) const {
  if (options_.early_stopping_patience == 0) return false;
  std::optional<double> best;
  int64_t without_gain = 0;
  visit_metrics(state, [&](int64_t, double metric) {
    const bool gains = is_better(metric, best);
    const bool enough = gains && (!best || std::abs(metric - *best) > options_.early_stopping_threshold);
    without_gain = enough ? 0 : without_gain + 1;
    if (gains) best = metric;
  });
  return without_gain >= options_.early_stopping_patience;
}

int64_t CheckpointKeeper::best_step(const RunState& state) const {
  std::optional<double> best;
  int64_t best_at = -1;
  visit_metrics(state, [&](int64_t step, double metric) {
    if (!is_better(metric, best)) return;
    best = metric;
    best_at = step;
  });
  return best_at;
}

}  // namespace galore
