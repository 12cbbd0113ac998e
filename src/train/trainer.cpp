#include "train/trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "checkpoint/hugging_face.h"
#include "checkpoint/run_checkpoint.h"
#include "core/clock.h"
#include "core/errors.h"
#include "kernels/apply_direction.h"
#include "kernels/device.h"
#include "kernels/group_quantize.h"
#include "report/loss_chart.h"
#include "train/peak.h"
#include "train/signals.h"

namespace galore {
namespace {

// Labels that count after the model's shift: all but the first of each row, and not -100.
int64_t count_targets(const Batch& batch) {
  const at::Tensor targets = batch.labels.narrow(1, 1, batch.labels.size(1) - 1);
  return targets.ne(-100).sum().item<int64_t>();
}

bool is_finite(const Parameter& parameter) {
  const auto all_finite = [](const at::Tensor& x) { return std::isfinite(kernels::sum_squares(x)); };
  if (parameter.has_term()) {
    const auto [left, right] = parameter.term->factors();
    if (!all_finite(left) || !all_finite(right)) return false;
  }
  return parameter.codes ? kernels::is_finite(*parameter.codes) : all_finite(parameter.value);
}

}  // namespace

RunParts Trainer::parts(bool with_optimizer) {
  return {*model_, with_optimizer ? optimizer_.get() : nullptr, tokenizer_.get(),
          model_options_.weights_dtype};
}

TrainResult Trainer::run() {
  const SignalGuard signals;
  evaluate_at_start();
  while (!done() && !SignalGuard::received()) step();
  if (!SignalGuard::received()) after_training();
  const int signal = SignalGuard::received();
  if (signal != 0 && saved_step_ != state_.step) save();
  return conclude(signal);
}

const StepMetrics& Trainer::step() {
  evaluate_at_start();
  train_one_update();
  after_update();
  return metrics_;
}

TrainResult Trainer::finish() {
  evaluate_at_start();
  after_training();
  return conclude(/*signal=*/0);
}

void Trainer::evaluate_at_start() {
  if (started_ != 0) return;
  started_ = steady_seconds();
  if (options_.eval_on_start && state_.step == 0) evaluate_and_note();
}

Evaluation Trainer::evaluate() {
  if (!eval_data_) fail_usage("eval_file", "expected eval_file or val_size for an evaluation, given neither");
  evaluate_and_note();
  return *last_evaluation_;
}

std::vector<Batch> Trainer::next_batches() {
  const double start = steady_seconds();
  std::vector<Batch> batches;
  for (int64_t i = 0; i < options_.gradient_accumulation_steps; ++i) batches.push_back(*train_data_->next());
  timings_.data += steady_seconds() - start;
  return batches;
}

LossSum Trainer::train_batches(const std::vector<Batch>& batches, int64_t targets) {
  const double scale = 1.0 / static_cast<double>(std::max<int64_t>(1, targets));
  LossSum loss;
  DropoutPlace place{static_cast<uint64_t>(options_.seed), state_.step, 0};
  for (const Batch& batch : batches) {
    model_->set_dropout(place);
    place.first_row += batch.ids.size(0);
    const LossSum part = model_->train_step(batch.ids, batch.labels, scale);
    loss.loss += part.loss;
    loss.num_tokens += part.num_tokens;
  }
  return loss;
}

void Trainer::train_one_update() {
  const double start = steady_seconds();
  const std::vector<Batch> batches = next_batches();
  int64_t targets = 0, positions = 0;
  for (const Batch& batch : batches) {
    targets += count_targets(batch);
    positions += batch.ids.numel();
  }
  optimizer_->begin_update(schedule_->rate(state_.step), options_.gradient_accumulation_steps);
  const double loss = train_batches(batches, targets).mean();
  const bool finite = std::isfinite(loss);
  // Nothing is saved here: the weights may have been on their way to this for a while, and the checkpoints
  // from before are the ones to go back to.
  if (!finite && options_.nan_policy == "stop") stop(state_.step + 1, "the loss is not finite");
  const bool accepted = finite && state_.spikes.accept(loss, options_.spike_threshold);
  const UpdateReport report = optimizer_->finish_update(/*discard=*/!accepted);
  if (!finite) require_finite_weights(state_.step + 1);
  ++state_.step;
  state_.data = train_data_->position();
  previous_epoch_ = state_.epoch;
  state_.epoch = train_data_->epochs();
  state_.tokens_seen += targets;
  if (!accepted) tell_skipped(loss, report);
  for (const std::string& notice : report.notices)
    if (accepted) log_.say(notice);
  record(loss, accepted, report, positions, steady_seconds() - start);
}

void Trainer::tell_skipped(double loss, const UpdateReport& report) {
  log_.say(fmt::format("step {}: loss {}: the update was skipped", state_.step, loss));
  const auto updated = static_cast<int64_t>(model_->parameters().size()) - report.num_skipped;
  if (optimizer_->options().layerwise && updated > 0)
    log_.say(
        fmt::format("step {}: but {} weights whose gradients are finite had been updated in the backward "
                    "pass",
                    state_.step, updated));
}

void Trainer::record(double loss, bool accepted, const UpdateReport& report, int64_t tokens, double seconds) {
  if (std::isfinite(loss)) {
    state_.window.sum += loss;
    ++state_.window.updates;
  }
  if (!accepted) ++state_.window.skipped;
  timings_.seconds += seconds;
  timings_.tokens += tokens;
  timings_.optimizer += report.seconds;
  timings_.refresh += report.refresh_seconds;
  training_seconds_ += seconds;
  trained_tokens_ += tokens;
  measure(report);
  note_refreshes(report);
  metrics_.seconds_left = training_seconds_ / static_cast<double>(trained_tokens_) *
                          static_cast<double>(tokens) * static_cast<double>(options_.max_steps - state_.step);
  const bool first = state_.step == 1 && options_.logging_first_step;
  if (!first && !is_due(options_.logging_steps, "steps") && state_.step != options_.max_steps)
    return log_.progress(metrics_);
  tell_refreshes();
  log_.step(metrics_);
  state_.history.push_back({{"step", static_cast<double>(metrics_.step)},
                            {"epoch", metrics_.epoch},
                            {"loss", metrics_.loss},
                            {"grad_norm", metrics_.gradient_norm},
                            {"learning_rate", metrics_.learning_rate}});
  state_.window = {};
  timings_ = {};
}

void Trainer::measure(const UpdateReport& report) {
  StepMetrics& m = metrics_;
  m.step = state_.step;
  m.total_steps = options_.max_steps;
  m.epoch = state_.epoch;
  m.loss = state_.window.updates > 0 ? state_.window.sum / static_cast<double>(state_.window.updates)
                                     : std::numeric_limits<double>::quiet_NaN();
  m.skipped_updates = state_.window.skipped;
  m.gradient_norm = report.gradient_norm;
  m.norm_is_projected = report.norm_is_projected;
  m.learning_rate = schedule_->rate(state_.step - 1);
  m.tokens_per_second = static_cast<double>(timings_.tokens) / timings_.seconds;
  m.peak_share = m.tokens_per_second * operations_per_token(config_, options_.max_length) / peak_;
  const MemoryInUse memory = memory_in_use(device_);
  m.memory_bytes = memory.current;
  m.peak_memory_bytes = memory.peak;
  m.tokens_seen = state_.tokens_seen;
  m.optimizer_seconds = timings_.optimizer;
  m.refresh_seconds = timings_.refresh;
  m.data_seconds = timings_.data;
  m.clip_factor = report.clip_factor;
  m.mean_rank = report.mean_rank;
}

void Trainer::note_refreshes(const UpdateReport& report) {
  for (const RefreshedBasis& basis : report.refreshed) {
    refreshed_["ranks"][basis.parameter] = basis.rank;
    if (basis.captured_energy)
      refreshed_["captured_energy"][basis.parameter] = std::round(*basis.captured_energy * 1e6) / 1e6;
  }
}

// With logged updates, because some users refresh in every one; and before a checkpoint, because a resumed
// run would not know what was noted before it.
void Trainer::tell_refreshes() {
  if (refreshed_.is_null()) return;
  nlohmann::ordered_json fields{{"step", state_.step}};
  fields.update(refreshed_);
  log_.event("subspace", fields);
  refreshed_ = nullptr;
}

bool Trainer::is_due(double every, const std::string& strategy) const {
  if (strategy == "epoch") return epoch_ended();
  const int64_t steps = steps_of(every);
  return strategy == "steps" && steps > 0 && state_.step % steps == 0;
}

void Trainer::after_update() {
  if (eval_data_ && is_due(options_.eval_steps, options_.eval_strategy)) evaluate_and_note();
  if (is_due(options_.save_steps, options_.save_strategy) || (options_.save_strategy == "best" && is_best()))
    save();
}

// The last update is evaluated and, where checkpoints are wanted, saved, as transformers does.
void Trainer::after_training() {
  if (eval_data_ && evaluated_step_ != state_.step) evaluate_and_note();
  if (SignalGuard::received()) return;
  const bool wanted = options_.save_strategy == "best" ? is_best() : options_.save_strategy != "no";
  if (wanted && saved_step_ != state_.step) save();
}

void Trainer::evaluate_and_note() {
  const Evaluation result = galore::evaluate(*model_, *eval_data_, options_.eval_max_batches,
                                             [] { return SignalGuard::received() != 0; });
  if (result.interrupted) return log_.say("the evaluation was left because the run is to stop");
  last_evaluation_ = result;
  evaluated_step_ = state_.step;
  log_.say(
      fmt::format(
          "step {}: eval_loss {:.4f}  perplexity {:.2f}  eval_loss_family {:.4f}  ({} tokens, {:.1f} s)",
          state_.step, result.loss, result.perplexity, result.loss_family, result.num_tokens, result.seconds),
      Tone::result);
  log_.event("eval", {{"step", state_.step},
                      {"epoch", state_.epoch},
                      {"eval_loss", result.loss},
                      {"perplexity", result.perplexity},
                      {"eval_loss_family", result.loss_family},
                      {"num_tokens", result.num_tokens},
                      {"seconds", result.seconds}});
  state_.history.push_back({{"step", static_cast<double>(state_.step)},
                            {"epoch", state_.epoch},
                            {"eval_loss", result.loss},
                            {"perplexity", result.perplexity}});
  const double metric = metric_of(result);
  if (std::isfinite(metric) && !(state_.best_metric && *state_.best_metric <= metric))
    state_.best_metric = metric;
  if (saved_step_ == state_.step) adopt_best();
}

double Trainer::metric_of(const Evaluation& result) const {
  return options_.metric_for_best_model == "perplexity" ? result.perplexity : result.loss;
}

bool Trainer::is_best() const {
  if (evaluated_step_ != state_.step) return false;
  const double metric = metric_of(*last_evaluation_);
  return std::isfinite(metric) &&
         !(state_.best_checkpoint_metric && *state_.best_checkpoint_metric <= metric);
}

void Trainer::adopt_best() {
  if (!is_best()) return;
  state_.best_checkpoint_metric = metric_of(*last_evaluation_);
  state_.best_checkpoint = checkpoint_path(options_.output_dir, state_.step).string();
}

void Trainer::require_finite_weights(int64_t step) {
  for (const Parameter* parameter : model_->parameters())
    if (!is_finite(*parameter))
      stop(step, fmt::format("{} holds values that are not finite", parameter->name));
}

void Trainer::stop(int64_t step, const std::string& reason) {
  log_.event("stopped", {{"step", step}, {"reason", reason}});
  const auto latest = find_latest(options_.output_dir);
  fail("train", "step {}: {}; the last checkpoint is {}", step, reason, latest ? latest->string() : "none");
}

Path Trainer::save() {
  // Else the checkpoints that are good would be pruned in favour of one that is lost.
  require_finite_weights(state_.step);
  const double start = steady_seconds();
  tell_refreshes();
  adopt_best();
  const Path path = save_checkpoint(options_.output_dir, parts(!options_.save_only_model), state_);
  saved_step_ = state_.step;
  prune(options_.output_dir, options_.save_total_limit, state_.best_checkpoint);
  draw_losses();
  log_.say(fmt::format("saved {} in {:.1f} s", path.string(), steady_seconds() - start));
  log_.event("checkpoint",
             {{"step", state_.step}, {"path", path.string()}, {"seconds", steady_seconds() - start}});
  return path;
}

void Trainer::draw_losses() const {
  ChartPoints training, evaluation;
  for (const LogEntry& entry : state_.history) {
    const std::map<std::string, double> values(entry.begin(), entry.end());
    if (values.contains("loss")) training.emplace_back(values.at("step"), values.at("loss"));
    if (values.contains("eval_loss")) evaluation.emplace_back(values.at("step"), values.at("eval_loss"));
  }
  const std::string title = options_.run_name.empty() ? "Loss" : options_.run_name;
  const std::string chart = loss_chart(title, training, evaluation);
  const Path path = Path(options_.output_dir) / "training_loss.svg";
  if (!chart.empty()) write_file_atomically(path, chart);
}

void Trainer::save_result() {
  if (options_.load_best_model_at_end && !state_.best_checkpoint.empty() &&
      is_complete_checkpoint(state_.best_checkpoint)) {
    load_model(state_.best_checkpoint, model_->parameters());
    log_.say("the last model is that of " + state_.best_checkpoint);
  } else if (options_.load_best_model_at_end) {
    log_.say("load_best_model_at_end: no evaluated checkpoint was saved; the last model is that of the end");
  }
  require_finite_weights(state_.step);
  save_final_model(options_.output_dir, parts(false));
  draw_losses();
}

// Of the evaluation whose metric is the best; -1: there was none.
int64_t Trainer::best_step() const {
  const std::string name = options_.metric_for_best_model == "perplexity" ? "perplexity" : "eval_loss";
  double best = std::numeric_limits<double>::infinity();
  int64_t step = -1;
  for (const LogEntry& entry : state_.history) {
    const std::map<std::string, double> values(entry.begin(), entry.end());
    if (!values.contains(name) || !(values.at(name) < best)) continue;
    best = values.at(name);
    step = static_cast<int64_t>(values.at("step"));
  }
  return step;
}

TrainResult Trainer::conclude(int signal) {
  const double seconds = steady_seconds() - started_;
  if (signal == 0) save_result();
  TrainResult result;
  result.steps = state_.step;
  result.tokens_seen = state_.tokens_seen;
  result.seconds = seconds;
  result.tokens_per_second =
      training_seconds_ > 0 ? static_cast<double>(trained_tokens_) / training_seconds_ : 0;
  result.last_loss = metrics_.loss;
  result.evaluation = last_evaluation_;
  result.best_metric = state_.best_metric;
  result.best_step = best_step();
  result.peak_memory_bytes = memory_in_use(device_).peak;
  result.planned_bytes = memory_.plan.total();
  result.program_bytes = program_bytes_;
  result.library_bytes = memory_.libraries;
  result.output_dir = options_.output_dir;
  result.signal = signal;
  log_.event("end", {{"step", state_.step},
                     {"seconds", seconds},
                     {"tokens_per_second", result.tokens_per_second},
                     {"peak_memory_bytes", result.peak_memory_bytes},
                     {"planned_bytes", result.planned_bytes},
                     {"signal", signal}});
  log_.finish_bar();
  return result;
}

}  // namespace galore
