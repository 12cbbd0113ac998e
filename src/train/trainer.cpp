#include "train/trainer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "checkpoint/hugging_face.h"
#include "checkpoint/run_checkpoint.h"
#include "core/dtypes.h"
#include "core/errors.h"
#include "kernels/device.h"
#include "train/peak.h"
#include "train/signals.h"

namespace galore {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Labels that count after the model's shift: all but the first of each row, and not -100.
int64_t count_targets(const Batch& batch) {
  const at::Tensor targets = batch.labels.narrow(1, 1, batch.labels.size(1) - 1);
  return targets.ne(-100).sum().item<int64_t>();
}

bool reports_to(const TrainOptions& options, const std::string& target) {
  const auto& list = options.report_to;
  return std::count(list.begin(), list.end(), target) + std::count(list.begin(), list.end(), "all") > 0;
}

LogOptions log_options(const TrainOptions& options) {
  LogOptions log;
  log.output_dir = options.output_dir;
  log.jsonl = reports_to(options, "jsonl");
  log.csv = reports_to(options, "csv");
  log.progress_bar = !options.disable_tqdm;
  const auto checkpoint = checkpoint_to_resume(options.resume_from_checkpoint, options.output_dir);
  if (checkpoint) log.resume_step = read_trainer_state(*checkpoint / kTrainerStateName).global_step;
  return log;
}

constexpr size_t kSpikeWindow = 50;  // losses that a spike is judged against

}  // namespace

Trainer::Trainer(const TrainOptions& options, Configuration configuration,
                 const std::vector<std::string>& notes)
    : options_(options),
      configuration_(std::move(configuration)),
      config_(model_config_of(options)),
      model_options_(model_options(options)),
      device_(device_of(options.device)),
      log_(log_options(options)),
      tokenizer_(tokenizer_of(options)) {
  const auto say = [this](const std::string& line) { log_.say(line); };
  if (options.spike_threshold > 0 && (options_.optimizer.layerwise || options_.optimizer.settings.layerwise))
    fail_usage("spike_threshold",
               "layer-wise mode writes weights before the loss of an update is judged: expected 0");
  train_data_ = open_train_data(options, tokenizer_.get(), config_, say);
  eval_data_ = open_eval_data(options, tokenizer_.get(), config_, say);
  if (tokenizer_) {
    config_.bos_token_id = tokenizer_->bos_id();
    config_.eos_token_id = tokenizer_->eos_id();
    if (tokenizer_->pad_id()) config_.pad_token_id = tokenizer_->pad_id();
  }
  if (options_.max_steps < 0) {
    const double rows = static_cast<double>(train_data_->rows_per_epoch()) * options.num_train_epochs;
    const auto per_update =
        static_cast<double>(options.per_device_train_batch_size * options.gradient_accumulation_steps);
    options_.max_steps = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(rows / per_update)));
  }
  state_.max_steps = options_.max_steps;
  state_.configuration = {configuration_.begin(), configuration_.end()};
  schedule_ = std::make_unique<Schedule>(ScheduleOptions{options.lr_scheduler_type,
                                                         options.lr_scheduler_kwargs, options.learning_rate,
                                                         steps_of(options.warmup_steps), options_.max_steps});
  announce(notes);
  prepare_model();
}

int64_t Trainer::steps_of(double count) const {
  return static_cast<int64_t>(
      std::ceil(count > 0 && count < 1 ? count * static_cast<double>(options_.max_steps) : count));
}

void Trainer::announce(const std::vector<std::string>& notes) {
  nlohmann::ordered_json fields;
  std::string text = "configuration:";
  for (const auto& [name, value] : configuration_) {
    fields[name] = value;
    if (!value.empty()) text += fmt::format("\n  {}: {}", name, value);
  }
  log_.say(text);
  log_.event("configuration", fields);
  for (const std::string& note : notes) log_.say("note: " + note);
  const Workload workload{options_.per_device_train_batch_size,
                          eval_data_ ? options_.per_device_eval_batch_size : 0, options_.max_length,
                          options_.gradient_accumulation_steps};
  plan_ = plan_memory(config_, model_options_, options_.optimizer, workload);
  OptimizerOptions plain = options_.optimizer;
  plain.settings = resolve_optimizer("adamw_torch", "");
  plain.layerwise = false;
  const MemoryPlan reference = plan_memory(config_, model_options_, plain, workload);
  log_.say(format_plans({plan_, reference}));
  if (const auto published = published_memory(options_.model_size); !published.empty()) log_.say(published);
  nlohmann::ordered_json memory{
      {"planned_bytes", plan_.total()}, {"adamw_bytes", reference.total()}, {"program_bytes", kProgramBytes}};
  for (int owner = 0; owner < kNumOwners; ++owner)
    memory[owner_name(static_cast<Owner>(owner))] = plan_.bytes[static_cast<size_t>(owner)];
  log_.event("memory", memory);
}

void Trainer::prepare_model() {
  ledger_ = std::make_unique<Ledger>(device_);
  model_ = make_causal_lm(config_, model_options_, *ledger_);
  const auto checkpoint = checkpoint_to_resume(options_.resume_from_checkpoint, options_.output_dir);
  if (!checkpoint && options_.model_name_or_path.empty())
    model_->initialize(static_cast<uint64_t>(options_.seed));
  if (!checkpoint && !options_.model_name_or_path.empty())
    load_weights(options_.model_name_or_path, model_->parameters());
  workspace_ = std::make_unique<Workspace>(*ledger_);
  optimizer_ = std::make_unique<Optimizer>(model_->parameters(), options_.optimizer, *workspace_);
  if (optimizer_->options().settings.method != "plain" && !optimizer_->grouping().unmatched.empty() &&
      !options_.optimizer.target_modules.empty())
    fail_usage("optim_target_modules", "'{}' matches no matrix of the model",
               optimizer_->grouping().unmatched[0]);
  log_.say(optimizer_->grouping().report);
  log_.say(fmt::format("{:.2f}M parameters, weights {}, computing in {} on {} with {} threads",
                       static_cast<double>(config_.num_parameters()) / 1e6, options_.dtype,
                       dtype_name(model_options_.compute_dtype), device_.str(), at::get_num_threads()));
  if (optimizer_->options().layerwise && options_.optimizer.max_grad_norm > 0)
    log_.say(fmt::format("layer-wise clipping to {} by {}", options_.optimizer.max_grad_norm,
                         options_.optimizer.layerwise_clipping == "per_tensor"
                             ? "each tensor's own norm"
                             : "the norm of the update before"));
  peak_ = measure_peak(model_options_.compute_dtype, device_);
  if (checkpoint) resume();
}

void Trainer::resume() {
  const Path checkpoint = *checkpoint_to_resume(options_.resume_from_checkpoint, options_.output_dir);
  const auto configuration = state_.configuration;
  state_ = load_checkpoint(checkpoint, parts(true));
  for (const std::string& line : changed_options(state_.configuration, configuration))
    log_.say("note: " + line);
  state_.configuration = configuration;
  state_.max_steps = options_.max_steps;
  train_data_->seek(state_.data);
  previous_epoch_ = state_.epoch;
  log_.say(fmt::format("resumed {} at step {}", checkpoint.string(), state_.step));
}

RunParts Trainer::parts(bool with_optimizer) {
  return {*model_, with_optimizer ? optimizer_.get() : nullptr, tokenizer_.get(),
          model_options_.weights_dtype};
}

double Trainer::epoch_of(const DataPosition& position) const {
  return static_cast<double>(position.epoch) +
         static_cast<double>(position.index) / static_cast<double>(train_data_->rows_per_epoch());
}

TrainResult Trainer::run() {
  SignalGuard signals;
  const double start = now();
  if (options_.eval_on_start && state_.step == 0) evaluate_and_note();
  while (state_.step < options_.max_steps) {
    if (!train_one_update() && options_.nan_policy == "stop") {
      const auto latest = find_latest(options_.output_dir);
      fail("train", "step {}: the loss is not finite; the last checkpoint is {}", state_.step + 1,
           latest ? latest->string() : "none");
    }
    after_update();
    if (const int signal = SignalGuard::received()) {
      if (!saved_this_step_) save();
      return finish(now() - start, signal);
    }
  }
  if (eval_data_ && (!last_evaluation_ || options_.eval_strategy == "no")) evaluate_and_note();
  return finish(now() - start, 0);
}

std::vector<Batch> Trainer::next_batches() {
  std::vector<Batch> batches;
  for (int64_t i = 0; i < options_.gradient_accumulation_steps; ++i) batches.push_back(*train_data_->next());
  return batches;
}

// False when the update was dropped because its loss is not finite.
bool Trainer::train_one_update() {
  const double start = now();
  const std::vector<Batch> batches = next_batches();
  int64_t targets = 0, positions = 0;
  for (const Batch& batch : batches) {
    targets += count_targets(batch);
    positions += batch.ids.numel();
  }
  optimizer_->begin_update(schedule_->rate(state_.step), options_.gradient_accumulation_steps);
  LossSum loss;
  for (const Batch& batch : batches) {
    const LossSum part =
        model_->train_step(batch.ids, batch.labels, 1.0 / static_cast<double>(std::max<int64_t>(1, targets)));
    loss.loss += part.loss;
    loss.num_tokens += part.num_tokens;
  }
  const bool finite = std::isfinite(loss.loss);
  const bool accepted = finite && loss_is_acceptable(loss.mean());
  if (!finite && options_.nan_policy == "stop") return false;
  const UpdateReport report = optimizer_->finish_update(/*discard=*/!accepted);
  ++state_.step;
  state_.data = train_data_->position();
  previous_epoch_ = state_.epoch;
  state_.epoch = epoch_of(state_.data);
  state_.tokens_seen += targets;
  if (!accepted) log_.say(fmt::format("step {}: loss {}: the update was skipped", state_.step, loss.mean()));
  for (const std::string& notice : report.notices) log_.say(notice);
  record(loss.mean(), report, positions, now() - start);
  return finite;
}

bool Trainer::loss_is_acceptable(double loss) {
  bool accepted = true;
  if (options_.spike_threshold > 0 && recent_losses_.size() == kSpikeWindow) {
    const double mean = std::accumulate(recent_losses_.begin(), recent_losses_.end(), 0.0) / kSpikeWindow;
    double variance = 0;
    for (const double value : recent_losses_) variance += (value - mean) * (value - mean) / kSpikeWindow;
    accepted = loss <= mean + options_.spike_threshold * std::sqrt(variance);
  }
  if (accepted) recent_losses_.push_back(loss);
  if (recent_losses_.size() > kSpikeWindow) recent_losses_.erase(recent_losses_.begin());
  return accepted;
}

void Trainer::record(double loss, const UpdateReport& report, int64_t tokens, double seconds) {
  logged_loss_ += loss;
  logged_seconds_ += seconds;
  logged_tokens_ += tokens;
  ++logged_updates_;
  training_seconds_ += seconds;
  trained_tokens_ += tokens;
  StepMetrics& m = metrics_;
  m.step = state_.step;
  m.total_steps = options_.max_steps;
  m.epoch = state_.epoch;
  m.loss = logged_loss_ / static_cast<double>(logged_updates_);
  m.gradient_norm = report.gradient_norm;
  m.norm_is_projected = report.norm_is_projected;
  m.learning_rate = schedule_->rate(state_.step - 1);
  m.tokens_per_second = static_cast<double>(logged_tokens_) / logged_seconds_;
  m.peak_share = m.tokens_per_second * operations_per_token(config_, options_.max_length) / peak_;
  const MemoryInUse memory = memory_in_use(device_);
  m.memory_bytes = memory.current;
  m.peak_memory_bytes = memory.peak;
  m.tokens_seen = state_.tokens_seen;
  m.optimizer_seconds = report.seconds;
  m.refresh_seconds = report.refresh_seconds;
  m.clip_factor = report.clip_factor;
  m.seconds_left = training_seconds_ / static_cast<double>(trained_tokens_) * static_cast<double>(tokens) *
                   static_cast<double>(options_.max_steps - state_.step);
  const bool first = state_.step == 1 && options_.logging_first_step;
  if (!first && !is_due(options_.logging_steps, "steps") && state_.step != options_.max_steps)
    return log_.progress(m);
  log_.step(m);
  state_.history.push_back({{"step", static_cast<double>(m.step)},
                            {"epoch", m.epoch},
                            {"loss", m.loss},
                            {"grad_norm", m.gradient_norm},
                            {"learning_rate", m.learning_rate}});
  logged_loss_ = logged_seconds_ = 0;
  logged_updates_ = logged_tokens_ = 0;
}

bool Trainer::is_due(double every, const std::string& strategy) const {
  if (strategy == "epoch") return epoch_ended();
  const int64_t steps = steps_of(every);
  return strategy == "steps" && steps > 0 && state_.step % steps == 0;
}

void Trainer::after_update() {
  saved_this_step_ = false;
  const auto best_before = state_.best_metric;
  if (eval_data_ && is_due(options_.eval_steps, options_.eval_strategy)) evaluate_and_note();
  const bool improved = state_.best_metric != best_before;
  if (is_due(options_.save_steps, options_.save_strategy) || (options_.save_strategy == "best" && improved))
    save();
}

void Trainer::evaluate_and_note() {
  const Evaluation result = evaluate(*model_, *eval_data_, options_.eval_max_batches);
  last_evaluation_ = result;
  log_.say(fmt::format(
      "step {}: eval_loss {:.4f}  perplexity {:.2f}  eval_loss_family {:.4f}  ({} tokens, {:.1f} s)",
      state_.step, result.loss, result.perplexity, result.loss_family, result.num_tokens, result.seconds));
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
  const double metric = options_.metric_for_best_model == "perplexity" ? result.perplexity : result.loss;
  if (state_.best_metric && !(metric < *state_.best_metric)) return;
  state_.best_metric = metric;
  state_.best_checkpoint = checkpoint_path(options_.output_dir, state_.step).string();
}

void Trainer::save() {
  const double start = now();
  const Path path = save_checkpoint(options_.output_dir, parts(!options_.save_only_model), state_);
  saved_this_step_ = true;
  const bool best_exists = is_complete_checkpoint(state_.best_checkpoint);
  prune(options_.output_dir, options_.save_total_limit, best_exists ? Path(state_.best_checkpoint) : Path());
  log_.say(fmt::format("saved {} in {:.1f} s", path.string(), now() - start));
  log_.event("checkpoint", {{"step", state_.step}, {"path", path.string()}, {"seconds", now() - start}});
}

TrainResult Trainer::finish(double seconds, int signal) {
  TrainResult result;
  if (signal == 0) {
    if (options_.load_best_model_at_end && is_complete_checkpoint(state_.best_checkpoint)) {
      load_weights(state_.best_checkpoint, model_->parameters());
      log_.say("the last model is that of " + state_.best_checkpoint);
    }
    save_final_model(options_.output_dir, parts(false));
  }
  result.steps = state_.step;
  result.tokens_seen = state_.tokens_seen;
  result.seconds = seconds;
  result.tokens_per_second =
      training_seconds_ > 0 ? static_cast<double>(trained_tokens_) / training_seconds_ : 0;
  result.last_loss = metrics_.loss;
  result.evaluation = last_evaluation_;
  result.best_metric = state_.best_metric;
  result.peak_memory_bytes = memory_in_use(device_).peak;
  result.planned_bytes = plan_.total();
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
