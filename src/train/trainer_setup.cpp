// What a Trainer does before its first update; the loop is in trainer.cpp.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "checkpoint/hugging_face.h"
#include "core/dtypes.h"
#include "core/errors.h"
#include "kernels/device.h"
#include "train/peak.h"
#include "train/trainer.h"

namespace galore {
namespace {

bool reports_to(const TrainOptions& options, const std::string& target) {
  const auto& list = options.report_to;
  return std::count(list.begin(), list.end(), target) + std::count(list.begin(), list.end(), "all") > 0;
}

LogOptions log_options(const TrainOptions& options, const TakeLine& take_line) {
  LogOptions log;
  log.take_line = take_line;
  log.output_dir = options.output_dir;
  log.jsonl = reports_to(options, "jsonl");
  log.csv = reports_to(options, "csv");
  log.tensorboard = reports_to(options, "tensorboard");
  log.progress_bar = !options.disable_tqdm;
  return log;
}

// Measuring takes a moment, and several trainers of one process share it.
double peak_of(at::ScalarType dtype, at::Device device) {
  static std::map<std::tuple<at::ScalarType, std::string, int>, double> known;
  const auto [entry, added] = known.emplace(std::tuple(dtype, device.str(), at::get_num_threads()), 0.0);
  if (added) entry->second = measure_peak(dtype, device);
  return entry->second;
}

}  // namespace

Trainer::Trainer(const TrainOptions& options, Configuration configuration,
                 const std::vector<std::string>& notes, const MakeModel& make_model,
                 const TakeLine& take_line)
    : options_(options),
      configuration_(std::move(configuration)),
      config_(model_config_of(options)),
      model_options_(model_options(options)),
      device_(device_of(options.device)),
      log_(log_options(options, take_line)),
      tokenizer_(tokenizer_of(options)),
      resumed_(checkpoint_to_resume(options.resume_from_checkpoint, options.output_dir)) {
  RunState saved;
  if (resumed_) saved = read_run_state(*resumed_);
  output_ =
      std::make_unique<OutputFolder>(options.output_dir, resumed_, saved.step, options.overwrite_output_dir);
  state_ = saved;
  require_memory();
  open_data();
  plan_steps();
  announce(notes);
  prepare_model(make_model);
  if (resumed_) resume(saved);
  state_.configuration = {configuration_.begin(), configuration_.end()};
  state_.threads = at::get_num_threads();
  for (const std::string& line : output_->clear()) log_.say(line);
  log_.open(resumed_ ? state_.step : -1);
}

void Trainer::require_memory() {
  memory_ = fit_memory(options_, config_, memory_at_hand(options_, device_), state_.configuration,
                       [this](const std::string& line) { log_.say(line); });
  for (auto& [name, text] : configuration_) {
    if (name == "per_device_train_batch_size") text = std::to_string(options_.per_device_train_batch_size);
    if (name == "gradient_accumulation_steps") text = std::to_string(options_.gradient_accumulation_steps);
  }
}

void Trainer::open_data() {
  const auto say = [this](const std::string& line) { log_.say(line); };
  train_data_ = open_train_data(options_, tokenizer_.get(), config_, say);
  eval_data_ = open_eval_data(options_, tokenizer_.get(), config_, say);
  if (!tokenizer_) return;
  config_.bos_token_id = tokenizer_->bos_id();
  config_.eos_token_id = tokenizer_->eos_id();
  if (tokenizer_->pad_id()) config_.pad_token_id = tokenizer_->pad_id();
}

// The updates that num_train_epochs stands for: those done, and what is left of the rows. A resumed run may
// have another batch size or accumulation.
void Trainer::plan_steps() {
  if (options_.max_steps < 0) {
    const auto per_epoch = static_cast<double>(train_data_->rows_per_epoch());
    const double rows = per_epoch * (options_.num_train_epochs - static_cast<double>(state_.data.epoch)) -
                        static_cast<double>(state_.data.index);
    const auto per_update =
        static_cast<double>(options_.per_device_train_batch_size * options_.gradient_accumulation_steps);
    options_.max_steps =
        state_.step + std::max<int64_t>(0, static_cast<int64_t>(std::ceil(rows / per_update)));
  }
  if (resumed_ && state_.max_steps != options_.max_steps)
    log_.say(
        fmt::format("note: the run ends after {} updates; it was to end after {} when the checkpoint was "
                    "saved",
                    options_.max_steps, state_.max_steps));
  state_.max_steps = options_.max_steps;
  schedule_ = std::make_unique<Schedule>(
      ScheduleOptions{options_.lr_scheduler_type, options_.lr_scheduler_kwargs, options_.learning_rate,
                      steps_of(options_.warmup_steps), options_.max_steps});
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
  const MemoryPlan& plan = memory_.plan;
  TrainOptions plain = options_;
  plain.optimizer.settings = resolve_optimizer("adamw_torch", "");
  plain.optimizer.overrides.clear();
  plain.optimizer.layerwise = false;
  const MemoryPlan reference =
      plan_memory(config_, model_options(plain), plain.optimizer, workload_of(options_));
  program_bytes_ = program_bytes(plan) + data_bytes(options_);
  log_.say(format_plans({plan, reference}));
  log_.say("the run " + describe(memory_));
  if (const auto published = published_memory(options_.model_size, {plan, reference}); !published.empty())
    log_.say(published);
  nlohmann::ordered_json memory{
      {"planned_bytes", plan.total()},          {"adamw_bytes", reference.total()},
      {"program_bytes", program_bytes_},        {"library_bytes", memory_.libraries},
      {"at_hand_bytes", memory_.at_hand.bytes}, {"limited_by", memory_.at_hand.source}};
  for (int owner = 0; owner < kNumOwners; ++owner)
    memory[owner_name(static_cast<Owner>(owner))] = plan.bytes[static_cast<size_t>(owner)];
  log_.event("memory", memory);
}

void Trainer::prepare_model(const MakeModel& make_model) {
  ledger_ = std::make_unique<Ledger>(device_);
  model_ = make_model(config_, model_options_, *ledger_);
  if (!resumed_ && options_.model_name_or_path.empty())
    model_->initialize(static_cast<uint64_t>(options_.seed));
  if (!resumed_ && !options_.model_name_or_path.empty())
    load_weights(options_.model_name_or_path, model_->parameters());
  workspace_ = std::make_unique<Workspace>(*ledger_);
  optimizer_ = std::make_unique<Optimizer>(model_->parameters(), options_.optimizer, *workspace_);
  if (options_.optimizer.lift == "lazy" && !optimizer_->lifts_lazily())
    fail_usage("lift", "expected eager: {} has no weight whose update stays inside a subspace",
               options_.optim);
  if (optimizer_->options().settings.method && !optimizer_->grouping().unmatched.empty() &&
      !options_.optimizer.target_modules.empty())
    fail_usage("optim_target_modules", "'{}' matches no matrix of the model",
               optimizer_->grouping().unmatched[0]);
  log_.say(optimizer_->grouping().report);
  log_.say(fmt::format("{:.2f}M parameters, weights {}, computing in {} on {} with {} threads",
                       static_cast<double>(config_.num_parameters()) / 1e6, options_.dtype,
                       dtype_name(model_options_.compute_dtype), device_.str(), at::get_num_threads()));
  tell_dropout();
  if (optimizer_->options().layerwise && options_.optimizer.max_grad_norm > 0)
    log_.say(fmt::format("layer-wise clipping to {} by {}", options_.optimizer.max_grad_norm,
                         options_.optimizer.layerwise_clipping == "per_tensor"
                             ? "each tensor's own norm"
                             : "the norm of the update before"));
  peak_ = peak_of(model_options_.compute_dtype, device_);
}

void Trainer::tell_dropout() {
  if (config_.embd_pdrop + config_.resid_pdrop + config_.attn_pdrop > 0)
    log_.say(fmt::format("dropout in training, by config.json: embd_pdrop {}, resid_pdrop {}, attn_pdrop {}",
                         config_.embd_pdrop, config_.resid_pdrop, config_.attn_pdrop));
}

void Trainer::resume(const RunState& saved) {
  // First what has changed: it may be why the checkpoint does not fit.
  const std::map<std::string, std::string> configuration(configuration_.begin(), configuration_.end());
  for (const std::string& line : changed_options(saved.configuration, configuration))
    log_.say("note: " + line);
  if (saved.threads > 0 && saved.threads != at::get_num_threads())
    log_.say(
        fmt::format("note: {} threads computed until the checkpoint, {} go on: sums may be rounded "
                    "differently",
                    saved.threads, at::get_num_threads()));
  load_checkpoint(*resumed_, parts(true));
  const auto metric = saved.configuration.find("metric_for_best_model");
  if (metric != saved.configuration.end() && metric->second != options_.metric_for_best_model) {
    state_.best_metric = state_.best_checkpoint_metric = std::nullopt;
    state_.best_checkpoint.clear();
  }
  train_data_->seek(state_.data);
  previous_epoch_ = state_.epoch;
  std::error_code ignored;
  if (std::filesystem::equivalent(*resumed_, checkpoint_path(options_.output_dir, state_.step), ignored))
    saved_step_ = state_.step;
  log_.say(fmt::format("resumed {} at step {}", resumed_->string(), state_.step));
}

}  // namespace galore
