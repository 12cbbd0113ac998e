#include "train/trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "checkpoint/run_checkpoint.h"
#include "core/clock.h"
#include "core/errors.h"
#include "kernels/apply_direction.h"
#include "kernels/device.h"
#include "kernels/group_quantize.h"
#include "train/signals.h"
#include "train/training_loop.h"

namespace galore {
namespace {

bool is_finite(const Parameter& parameter) {
  const auto all_finite = [](const at::Tensor& x) { return std::isfinite(kernels::sum_squares(x)); };
  if (parameter.has_term()) {
    const auto [left, right] = parameter.term->factors();
    if (!all_finite(left) || !all_finite(right)) return false;
  }
  return parameter.codes ? kernels::is_finite(*parameter.codes) : all_finite(parameter.value);
}

}  // namespace

RunParts TrainingLoop::parts(bool with_optimizer) {
  return {*run_.model,
          with_optimizer ? run_.optimizer.get() : nullptr,
          inputs_.tokenizer.get(),
          inputs_.model_options.weights_dtype,
          options_.model_name_or_path,
          with_optimizer ? run_.target.get() : nullptr,
          options_.chat_template};
}

TrainResult TrainingLoop::run() {
  std::optional<SignalGuard> signals;
  if (!stop_) signals.emplace();
  return keeping_work([this] {
    evaluate_at_start();
    while (!done() && signal_received() == 0) advance();
    if (signal_received() == 0) after_training();
    const int signal = signal_received();
    if (signal != 0 && !keeper_.is_saved(state_)) save();
    return conclude(signal);
  });
}

void TrainingLoop::advance() {
  evaluate_at_start();
  train_one_update();
  after_update();
}

const StepMetrics& TrainingLoop::step() {
  keeping_work([this] { advance(); });
  return recorder_.metrics();
}

TrainResult TrainingLoop::finish() {
  return keeping_work([this] {
    evaluate_at_start();
    after_training();
    return conclude(/*signal=*/0);
  });
}

// The log comes after the checkpoint, because a full disk may have made the log fail.
void TrainingLoop::save_work() {
  if (collective_.index() != 0 || !savable_ || keeper_.is_saved(state_) ||
      state_.step == keeper_.first_state().step)
    return;
  try {
    require_finite_weights(state_.step);
    // The other processes may have failed, so nobody waits.
    const Path path = keeper_.save(parts(!options_.save_only_model), state_, single_process());
    recorder_.log().say(fmt::format("saved {} because of an error", path.string()));
    recorder_.tell_refreshes(state_.step);
  } catch (const std::exception& error) {
    recorder_.log().say(
        fmt::format("note: the {} updates could not be saved after an error: {}", state_.step, error.what()));
  }
}

void TrainingLoop::tell_lost(const LostProcess& lost) const {
  const auto latest = find_latest(options_.output_dir);
  throw LostProcess(fmt::format("{}; update {} is lost; the last checkpoint is {}", lost.what(),
                                state_.step + 1, latest ? latest->string() : "none"));
}

int TrainingLoop::signal_received() const {
  const int own = stop_ ? stop_->load() : SignalGuard::received();
  if (collective_.size() == 1) return own;
  const std::vector<double> all = collective_.gather({static_cast<double>(own)});
  return static_cast<int>(*std::max_element(all.begin(), all.end()));
}

void TrainingLoop::evaluate_at_start() {
  if (started_ != 0) return;
  started_ = steady_seconds();
  if (options_.eval_on_start && state_.step == 0) evaluate_and_note();
}

Evaluation TrainingLoop::evaluate() {
  if (!inputs_.eval_data)
    fail_usage("eval_file", "expected eval_file or val_size for an evaluation, given neither");
  return keeping_work([this] {
    evaluate_and_note();
    return *evaluated_.result;
  });
}

std::vector<Batch> TrainingLoop::next_batches() {
  const double start = steady_seconds();
  std::vector<Batch> batches;
  const int64_t count = share_of(options_).count();
  for (int64_t i = 0; i < count; ++i)
    if (auto batch = inputs_.train_data->next(); batch && !batch->empty())
      batches.push_back(std::move(*batch));
  recorder_.add_data_seconds(steady_seconds() - start);
  return batches;
}

TrainingLoop::UpdateData TrainingLoop::next_update() {
  UpdateData data{next_batches(), share_of(options_)};
  int64_t targets = 0, positions = 0;
  for (const Batch& batch : data.batches) {
    targets += batch.targets.count;
    positions += batch.ids.numel();
  }
  int64_t present = 0;
  const std::vector<double> all =
      collective_.gather({static_cast<double>(data.batches.size()), static_cast<double>(targets),
                          static_cast<double>(positions)});
  for (size_t i = 0; i < all.size(); i += 3) {
    present += static_cast<int64_t>(all[i]);
    data.targets += static_cast<int64_t>(all[i + 1]);
    data.positions += static_cast<int64_t>(all[i + 2]);
  }
  if (present == 0) fail("train", "step {}: no rows are left to train on", state_.step + 1);
  data.share.missing = data.share.micro_batches - present;
  return data;
}

LossSum TrainingLoop::train_batches(const UpdateData& data) {
  const double scale = 1.0 / static_cast<double>(data.targets);
  std::vector<LossSum> losses;
  DropoutPlace place{static_cast<uint64_t>(options_.seed), state_.step,
                     data.share.first() * options_.per_device_train_batch_size};
  for (const Batch& batch : data.batches) {
    model().set_dropout(place);
    place.first_row += options_.per_device_train_batch_size;
    Batch prepared = batch;
    if (run_.target) run_.target->prepare(prepared);
    losses.push_back(model().train_step(prepared, scale));
  }
  // The gradients of this pass are dropped, and so is its loss.
  if (data.share.idle()) model().train_step(inputs_.task.batch_of(at::zeros({1, 2}, at::kLong)), scale);
  return add_losses(losses);
}

// Adds the losses of all processes in the order of the data.
LossSum TrainingLoop::add_losses(const std::vector<LossSum>& own) const {
  std::vector<double> numbers(2 * static_cast<size_t>(largest_share_of(options_).count()));
  for (size_t i = 0; i < own.size(); ++i) {
    numbers[2 * i] = own[i].loss;
    numbers[2 * i + 1] = static_cast<double>(own[i].num_tokens);
  }
  const std::vector<double> all = collective_.gather(numbers);
  LossSum sum;
  for (size_t i = 0; i < all.size(); i += 2) sum += {all[i], static_cast<int64_t>(all[i + 1])};
  return sum;
}

void TrainingLoop::train_one_update() {
  const double start = steady_seconds();
  const Traffic before = collective_.traffic();
  const UpdateData data = next_update();
  const double rate = schedule_->rate(state_.step);
  if (run_.watch) run_.watch->before_update(state_.step);
  savable_ = false;
  // An update without a target has no gradient, and weight decay alone would only shrink the weights.
  const Outcome outcome = data.targets > 0 ? update_weights(data, rate) : Outcome();
  ++state_.step;
  if (run_.target) run_.target->after_update(state_.step);
  state_.data = inputs_.train_data->position();
  previous_epoch_ = state_.epoch;
  state_.epoch = inputs_.train_data->epochs();
  state_.tokens_seen += data.targets;
  savable_ = true;
  update_mixture(data.batches, rate);
  tell(outcome, data.targets);
  const Traffic after = collective_.traffic();
  FinishedUpdate update{outcome.loss, outcome.accepted,        outcome.report, data.positions,
                        rate,         steady_seconds() - start};
  if (mixture_) update.mixture = [this] { return mixture_->take_fields(); };
  update.traffic = {after.bytes - before.bytes, after.seconds - before.seconds};
  recorder_.record(update, state_);
}

void TrainingLoop::update_mixture(const std::vector<Batch>& batches, double rate) {
  if (!mixture_) return;
  const std::vector<double> own = mixture_->tokens_of(batches), all = collective_.gather(own);
  std::vector<double> tokens(own.size(), 0);
  for (size_t i = 0; i < all.size(); ++i) tokens[i % own.size()] += all[i];
  mixture_->after_update(tokens, {state_.step, rate}, state_.data);
  agree_on_mixture();
  mixture_->visit([this](const std::string& name, double& number) { state_.mixture[name] = number; });
  for (const std::string& message : mixture_->take_messages())
    recorder_.log().say(fmt::format("step {}: {}", state_.step, message));
}

void TrainingLoop::agree_on_mixture() {
  if (collective_.size() == 1 || !mixture_->learns()) return;
  std::vector<double> own;
  mixture_->visit([&](const std::string&, double& number) { own.push_back(number); });
  const std::vector<double> all = collective_.gather(own);
  if (std::equal(own.begin(), own.end(), all.begin())) return;
  size_t next = 0;
  mixture_->visit([&](const std::string&, double& number) { number = all[next++]; });
  mixture_->resume();
}

TrainingLoop::Outcome TrainingLoop::update_weights(const UpdateData& data, double rate) {
  run_.optimizer->begin_update(rate, data.share);
  Outcome outcome;
  outcome.loss = train_batches(data).mean();
  const bool finite = std::isfinite(outcome.loss);
  if (!finite && options_.nan_policy == "stop") stop(state_.step + 1, "the loss is not finite");
  outcome.accepted = finite && state_.spikes.accept(outcome.loss, options_.spike_threshold);
  outcome.report = run_.optimizer->finish_update(/*discard=*/!outcome.accepted);
  if (!finite) require_finite_weights(state_.step + 1);
  if (outcome.accepted) judge_left_out(outcome.report);
  return outcome;
}

// The optimizer leaves out weights with gradients that are not finite. If these are most of the weights,
// the update has taught next to nothing.
void TrainingLoop::judge_left_out(const UpdateReport& report) {
  const auto all = static_cast<int64_t>(run_.optimizer->grouping().projected.size());
  if (2 * report.num_skipped <= all) return;
  const std::string reason =
      fmt::format("the gradients of {} of {} weights are not finite", report.num_skipped, all);
  if (options_.nan_policy == "stop") stop(state_.step + 1, reason);
  recorder_.log().say(fmt::format("step {}: {}", state_.step + 1, reason));
}

void TrainingLoop::tell(const Outcome& outcome, int64_t targets) {
  if (targets == 0)
    recorder_.log().say(
        fmt::format("step {}: no label of the update counts: the update was skipped", state_.step));
  else if (!outcome.accepted)
    tell_skipped(outcome.loss, outcome.report);
  for (const std::string& notice : outcome.report.notices)
    if (outcome.accepted) recorder_.log().say(notice);
  const auto held = run_.watch ? run_.watch->after_update(state_.step) : std::nullopt;
  if (held) recorder_.log().say(*held);
}

void TrainingLoop::tell_skipped(double loss, const UpdateReport& report) {
  recorder_.log().say(fmt::format("step {}: loss {}: the update was skipped", state_.step, loss));
  const auto updated = static_cast<int64_t>(model().parameters().size()) - report.num_skipped;
  if (run_.optimizer->options().layerwise && updated > 0)
    recorder_.log().say(
        fmt::format("step {}: but {} weights whose gradients are finite had been updated in the backward "
                    "pass",
                    state_.step, updated));
}

bool TrainingLoop::is_due(double every, const std::string& strategy) const {
  if (strategy == "epoch") return static_cast<int64_t>(state_.epoch) > static_cast<int64_t>(previous_epoch_);
  const int64_t steps = steps_of(every, state_.max_steps);
  return strategy == "steps" && steps > 0 && state_.step % steps == 0;
}

void TrainingLoop::after_update() {
  if (inputs_.eval_data && is_due(options_.eval_steps, options_.eval_strategy)) evaluate_and_note();
  if (is_due(options_.save_steps, options_.save_strategy) ||
      (options_.save_strategy == "best" && keeper_.is_best(state_)))
    save();
}

// Evaluates the last update and saves it if checkpoints are asked for, as transformers does.
void TrainingLoop::after_training() {
  if (inputs_.eval_data && evaluated_.step != state_.step) evaluate_and_note();
  if (signal_received() != 0) return;
  const bool wanted =
      options_.save_strategy == "best" ? keeper_.is_best(state_) : options_.save_strategy != "no";
  if (wanted && !keeper_.is_saved(state_)) save();
}

void TrainingLoop::evaluate_and_note() {
  const auto is_unwanted = [this] { return signal_received() != 0; };
  const Evaluation result = evaluate_together(model(), inputs_.task, inputs_.eval_data,
                                              options_.eval_max_batches, is_unwanted, collective_);
  if (result.interrupted) return recorder_.log().say("the evaluation was left because the run is to stop");
  evaluated_ = {result, state_.step};
  recorder_.record(result, state_);
  keeper_.judge(result, state_);
  if (stopped_early_ || done() || !keeper_.ran_out_of_patience(state_)) return;
  stopped_early_ = true;
  recorder_.log().say(fmt::format("step {}: early_stopping_patience={} evaluations without a better {}",
                                  state_.step, options_.early_stopping_patience,
                                  options_.metric_for_best_model));
}

void TrainingLoop::require_finite_weights(int64_t step) {
  for (const Parameter* parameter : model().parameters())
    if (!is_finite(*parameter))
      stop(step, fmt::format("{} holds values that are not finite", parameter->name));
}

// Nothing is saved here, because the weights may have gone wrong many updates ago. The user should go back to
// an earlier checkpoint.
void TrainingLoop::stop(int64_t step, const std::string& reason) {
  savable_ = false;
  recorder_.log().event("stopped", {{"step", step}, {"reason", reason}});
  const auto latest = find_latest(options_.output_dir);
  fail("train", "step {}: {}; the last checkpoint is {}", step, reason, latest ? latest->string() : "none");
}

Path TrainingLoop::save() {
  // Otherwise pruning would remove good checkpoints and keep one with broken weights.
  require_finite_weights(state_.step);
  require_equal_weights(model().parameters(), collective_);
  const double start = steady_seconds();
  recorder_.tell_refreshes(state_.step);
  const Path path = keeper_.save(parts(!options_.save_only_model), state_, collective_);
  recorder_.draw_losses(state_);
  recorder_.log().say(fmt::format("saved {} in {:.1f} s", path.string(), steady_seconds() - start));
  recorder_.log().event(
      "checkpoint", {{"step", state_.step}, {"path", path.string()}, {"seconds", steady_seconds() - start}});
  return path;
}

void TrainingLoop::require_counted_labels() const {
  if (state_.step > 0 && state_.tokens_seen == 0)
    fail("train", "nothing was learned: none of {} updates had a label that counts", state_.step);
}

TrainResult TrainingLoop::conclude(int signal) {
  const double seconds = steady_seconds() - started_;
  if (signal == 0) {
    require_counted_labels();
    savable_ = !options_.load_best_model_at_end;  // the weights of the best checkpoint belong to another step
    keeper_.load_best(model(), state_, recorder_.log());
    require_finite_weights(state_.step);
    in_first(collective_, [this] { save_final_model(options_.output_dir, parts(false)); });
    recorder_.draw_losses(state_);
  }
  TrainResult result;
  result.steps = state_.step;
  result.tokens_seen = state_.tokens_seen;
  result.seconds = seconds;
  result.tokens_per_second = recorder_.tokens_per_second();
  result.last_loss = recorder_.metrics().loss;
  result.evaluation = evaluated_.result;
  result.best_metric = state_.best_metric;
  result.best_step = keeper_.best_step(state_);
  result.peak_memory_bytes = memory_in_use(inputs_.device).peak;
  result.planned_bytes = memory_.fit.plan.total();
  result.program_bytes = memory_.program_bytes;
  result.library_bytes = memory_.fit.libraries;
  result.output_dir = options_.output_dir;
  result.signal = signal;
  recorder_.log().event("end", {{"step", state_.step},
                                {"seconds", seconds},
                                {"tokens_per_second", result.tokens_per_second},
                                {"peak_memory_bytes", result.peak_memory_bytes},
                                {"planned_bytes", result.planned_bytes},
                                {"signal", signal}});
  recorder_.log().finish_bar();
  return result;
}

Trainer::Trainer(const TrainOptions& options, const std::vector<std::string>& notes,
                 const MakeModel& make_model, const TakeLine& take_line, Collective& collective)
    : Trainer(options, notes, make_model, RunHooks{.take_line = take_line}, collective) {}
Trainer::Trainer(const TrainOptions& options, const std::vector<std::string>& notes,
                 const MakeModel& make_model, const RunHooks& hooks, Collective& collective)
    : loop_(std::make_unique<TrainingLoop>(options, notes, make_model, hooks, collective)) {}
Trainer::~Trainer() = default;
TrainResult Trainer::run() { return loop_->run(); }
bool Trainer::done() const { return loop_->done(); }
const StepMetrics& Trainer::step() { return loop_->step(); }
Evaluation Trainer::evaluate() { return loop_->evaluate(); }
Path Trainer::save() { return loop_->save(); }
TrainResult Trainer::finish() { return loop_->finish(); }
TrainableModel& Trainer::model() { return loop_->model(); }

}  // namespace galore
