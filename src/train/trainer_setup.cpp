// The constructor of TrainingLoop does all work before the first update. The loop is in trainer.cpp.
#include <ATen/Parallel.h>

#include <cmath>

#include "checkpoint/generation_config.h"
#include "checkpoint/peft_directory.h"
#include "core/dtypes.h"
#include "core/errors.h"
#include "kernels/device.h"
#include "optim/presets.h"
#include "train/adapter_start.h"
#include "train/inputs.h"
#include "train/mixture_setup.h"
#include "train/product_rate.h"
#include "train/reference_scores.h"
#include "train/training_loop.h"

namespace galore {

namespace {

MetricKind best_metric_of(const TrainOptions& options, const Task& task) {
  MetricKind kind = *find_metric(task, options.metric_for_best_model);
  if (options.greater_is_better != "auto") kind.larger_is_better = options.greater_is_better == "true";
  return kind;
}

}  // namespace

TrainingLoop::TrainingLoop(const TrainOptions& options, const std::vector<std::string>& notes,
                           const MakeModel& make_model, const RunHooks& hooks, Collective& collective)
    : options_(options),
      collective_(collective),
      stop_(hooks.stop),
      inputs_{find_task(options.task, options.task_name),
              model_config_of(options),
              model_options(options),
              device_of(options.device),
              tokenizer_of(options),
              nullptr,
              {}},
      recorder_(options, eval_metrics(options, inputs_.task), hooks, collective.index() == 0),
      keeper_(options, best_metric_of(options, inputs_.task), collective),
      state_(keeper_.first_state()) {
  require_memory();
  const auto configuration = configuration_of(as_one_process(options_));
  open_data();
  compare_data();
  plan_steps();
  plan_adamw();
  announce(configuration, notes);
  state_.configuration = {configuration.begin(), configuration.end()};
  prepare_model(make_model);
  if (keeper_.resumes()) {
    keeper_.resume(parts(true), state_, recorder_.log());
    inputs_.train_data->seek(state_.data);
    previous_epoch_ = state_.epoch;
    stopped_early_ = keeper_.ran_out_of_patience(state_);
  }
  prepare_mixture();
  require_equal_weights(model().parameters(), collective_);
  state_.threads = at::get_num_threads();
  keeper_.clear_folder(recorder_.log());
  recorder_.log().open(keeper_.resumes() ? state_.step : -1);
}

void TrainingLoop::require_memory() {
  memory_.fit = require_fit(
      options_, inputs_.config, memory_at_hand(options_, inputs_.device, options_.local_processes),
      state_.configuration, [this](const std::string& line) { recorder_.log().say(line); }, collective_);
}

void TrainingLoop::open_data() {
  const auto say = [this](const std::string& line) { recorder_.log().say(line); };
  const Tokenizer* tokenizer = inputs_.tokenizer.get();
  ModelConfig& config = inputs_.config;
  if (tokenizer) {
    // Where the tokenizer names no such token, an id that config.json names stays.
    const auto begin = tokenizer->bos_id(), pad = tokenizer->pad_id();
    config.bos_token_id = begin ? begin : named_token_id(config.source, "bos_token_id");
    config.eos_token_id = end_of_text(tokenizer, config);
    if (pad && *pad < config.vocab_size) config.pad_token_id = pad;
  }
  const FillRows fill =
      reference_scores({options_, options_, options_.device, options_.seed, inputs_.task, say});
  inputs_.train_data = open_train_data(options_, tokenizer, config, say, inputs_.task, {options_, fill});
  inputs_.eval_data = open_eval_parts(options_, tokenizer, config, say, inputs_.task, fill);
  const auto& eval_files = options_.eval_file.empty() ? options_.train_file : options_.eval_file;
  const EvalData& data = inputs_.eval_data;
  if (data.main) require_targets(*data.main, options_.eval_max_batches, eval_files.front());
  for (const EvalData::Source& source : data.sources)
    require_targets(*source.data, options_.eval_max_batches, source.name);
}

// A position is a number of rows in one order. In other data it would be another place, so that some rows
// would be seen twice and others never.
void TrainingLoop::compare_data() {
  const DataFingerprint before = state_.data_fingerprint, now = inputs_.train_data->fingerprint();
  state_.data_fingerprint = now;
  const bool other_tokens = before.tokens != 0 && before.tokens != now.tokens;
  const bool other_rows = before.rows != 0 && before.rows != now.rows;
  const DataPosition start = inputs_.train_data->start_of(state_.data.epoch);
  const bool other_stream = start.stream.fingerprint != state_.data.stream.fingerprint;
  if (!keeper_.resumes() || !(other_tokens || other_rows || other_stream)) return;
  if (options_.ignore_data_changes) {
    recorder_.log().say(fmt::format("note: the data changed, so epoch {} begins anew", state_.data.epoch));
    state_.data = start;
    state_.epoch = static_cast<double>(start.epoch);
  } else if (!other_stream) {  // seek() has more to say about a stream
    fail("resume",
         "{} changed since the checkpoint, where {} rows of epoch {} were seen: expected the same, or "
         "ignore_data_changes=true, which begins the epoch anew",
         other_tokens ? "the data or the tokenizer"
                      : "max_length, packing, data_seed, max_samples or val_size",
         state_.data.index, state_.data.epoch);
  }
}

// Counts the updates already done and those of the remaining rows up to `last_row`, counted from the start of
// epoch 0, because a resumed run may have another batch size or accumulation. With num_train_epochs the last
// update of each epoch has the rows that are left of it.
int64_t TrainingLoop::steps_up_to(int64_t last_row) const {
  const int64_t per_update = options_.per_device_train_batch_size * options_.gradient_accumulation_steps;
  const auto updates = [per_update](int64_t rows) {
    return (std::max<int64_t>(0, rows) + per_update - 1) / per_update;
  };
  const int64_t per_epoch = inputs_.train_data->rows_per_epoch();
  const DataPosition& here = state_.data;
  const int64_t left_of_epoch = per_epoch - here.index;
  const int64_t left = last_row - per_epoch * here.epoch - here.index;
  if (options_.max_steps >= 0 || left <= left_of_epoch) return state_.step + updates(left);
  const int64_t whole_epochs = last_row / per_epoch - here.epoch - 1;
  return state_.step + updates(left_of_epoch) + whole_epochs * updates(per_epoch) +
         updates(last_row % per_epoch);
}

void TrainingLoop::plan_steps() {
  ScheduleOptions schedule = options_;
  if (schedule.max_steps < 0) {
    const auto per_epoch = static_cast<double>(inputs_.train_data->rows_per_epoch());
    const auto all = static_cast<int64_t>(std::ceil(per_epoch * options_.num_train_epochs));
    schedule.max_steps = steps_up_to(all);
    inputs_.train_data->end_after(all);
  }
  // The sources of a mixture may end earlier.
  const auto last = inputs_.train_data->last_row();
  if (last && steps_up_to(*last) < schedule.max_steps) {
    schedule.max_steps = steps_up_to(*last);
    recorder_.log().say(
        fmt::format("note: all sources have given their max_epochs after {} updates", schedule.max_steps));
  }
  if (keeper_.resumes() && state_.max_steps != schedule.max_steps)
    recorder_.log().say(
        fmt::format("note: the run ends after {} updates; it was to end after {} when the checkpoint was "
                    "saved",
                    schedule.max_steps, state_.max_steps));
  state_.max_steps = schedule.max_steps;
  schedule_ = std::make_unique<Schedule>(schedule);
}

void TrainingLoop::plan_adamw() {
  TrainOptions plain = options_;
  plain.adapter.clear();
  plain.adapter_name_or_path.clear();
  plain.quantization = "none";
  plain.optimizer.settings = resolve_optimizer("adamw_torch", "");
  plain.optimizer.overrides.clear();
  plain.optimizer.layerwise = false;
  memory_.adamw =
      plan_memory(inputs_.config, model_options(plain), plain.optimizer, workload_of(options_, options_));
  memory_.program_bytes = program_bytes(memory_.fit.plan) + data_bytes(options_, options_);
}

void TrainingLoop::announce(const Configuration& configuration, const std::vector<std::string>& notes) {
  RunLog& log = recorder_.log();
  nlohmann::ordered_json fields;
  std::string text = "configuration:";
  for (const auto& [name, value] : configuration) {
    fields[name] = value;
    if (!value.empty()) text += fmt::format("\n  {}: {}", name, value);
  }
  log.say(text);
  log.event("configuration", fields);
  for (const std::string& note : notes) log.say("note: " + note);
  announce_memory();
}

void TrainingLoop::announce_memory() {
  RunLog& log = recorder_.log();
  const MemoryPlan& plan = memory_.fit.plan;
  log.say(format_plans({plan, memory_.adamw}));
  log.say("the run " + describe(memory_.fit));
  if (options_.processes > 1) {
    log.say(describe_traffic(plan));
    log.say(describe_states(plan));
    recorder_.set_processes(plan.processes, ddp_bytes(plan, plan.processes));
  }
  if (const auto published = published_memory(options_.model_size, {plan, memory_.adamw}); !published.empty())
    log.say(published);
  nlohmann::ordered_json memory{{"planned_bytes", plan.total()},
                                {"adamw_bytes", memory_.adamw.total()},
                                {"program_bytes", memory_.program_bytes},
                                {"library_bytes", memory_.fit.libraries},
                                {"at_hand_bytes", memory_.fit.at_hand.bytes},
                                {"limited_by", memory_.fit.at_hand.source}};
  for (int owner = 0; owner < kNumOwners; ++owner)
    memory[owner_name(static_cast<Owner>(owner))] = plan.bytes[static_cast<size_t>(owner)];
  log.event("memory", memory);
}

void TrainingLoop::prepare_model(const MakeModel& make_model) {
  run_ = build_model(inputs_.config, inputs_.model_options, inputs_.device, make_model);
  // A checkpoint of an adapter does not hold the other weights.
  if (!keeper_.resumes() || has_peft_adapter(*run_.model)) {
    const std::string note = set_weights(*run_.model, options_, options_.seed);
    if (!note.empty()) recorder_.log().say("note: " + note);
  }
  if (!keeper_.resumes() && options_.adapter_name_or_path.empty() && starts_from_data(*run_.model))
    start_adapter();
  add_optimizer(run_, options_.optimizer, options_.learning_rate, collective_);
  check_optimizer();
  run_.target = make_target_network(options_, *run_.model, inputs_.model_options, *run_.ledger);
  if (run_.target && !keeper_.resumes()) run_.target->copy_all();
  const bool loses_changes = options_.optimizer.rounding == "nearest" && !options_.optimizer.master_weights;
  const int64_t full_rate = std::max(state_.step, galore::steps_of(options_.warmup_steps, state_.max_steps));
  if (loses_changes) run_.watch = std::make_unique<MovementWatch>(run_.model->parameters(), full_rate);
  announce_model();
  recorder_.set_speed_of(operations_per_token(inputs_.config, options_.max_length),
                         product_rate(inputs_.model_options.compute_dtype, inputs_.device), inputs_.device);
}

void TrainingLoop::prepare_mixture() {
  mixture_ = make_mixture_run(options_, *inputs_.train_data, run_, state_.max_steps, collective_);
  if (!mixture_) return;
  if (!keeper_.resumes()) {
    mixture_->begin();
    return agree_on_mixture();
  }
  // A checkpoint of a run without a mixture, or with other learning, lacks numbers.
  mixture_->visit([this](const std::string& name, double& number) {
    const auto found = state_.mixture.find(name);
    if (found != state_.mixture.end()) number = found->second;
  });
  mixture_->resume();
}

// The first micro-batch gives the adapter's first values, and then is trained on like the others. It belongs
// to the first process, which sends the values to the others.
void TrainingLoop::start_adapter() {
  in_first(collective_, [this] {
    const auto batch = inputs_.train_data->next();
    if (!batch) fail("train", "no rows are left to start the adapter from");
    start_from_batch(*run_.model, *batch);
    recorder_.log().say(fmt::format("the adapter starts from the first {} rows", batch->rows()));
  });
  for (Parameter* parameter : run_.model->parameters())
    if (parameter->role == Role::adapter) take_from_first(parameter->value, collective_);
  inputs_.train_data->seek(state_.data);
}

// Refuses options that no weight of this model can follow.
void TrainingLoop::check_optimizer() const {
  const Optimizer& optimizer = *run_.optimizer;
  if (options_.optimizer.lift == "lazy" && !optimizer.lifts_lazily())
    fail_usage("lift", "expected eager: {} has no weight whose update stays inside a subspace",
               options_.optim);
  if (optimizer.options().settings->method && !optimizer.grouping().unmatched.empty() &&
      !options_.optimizer.target_modules.empty())
    fail_usage("optim_target_modules", "'{}' matches no matrix of the model",
               optimizer.grouping().unmatched[0]);
}

void TrainingLoop::announce_model() {
  RunLog& log = recorder_.log();
  const ModelConfig& config = inputs_.config;
  log.say(run_.optimizer->grouping().summary);
  log.say(fmt::format("{:.2f}M parameters, weights {}, computing in {} on {} with {} threads",
                      static_cast<double>(config.num_parameters()) / 1e6, options_.dtype,
                      dtype_name(inputs_.model_options.compute_dtype), inputs_.device.str(),
                      at::get_num_threads()));
  if (config.embd_pdrop + config.resid_pdrop + config.attn_pdrop > 0)
    log.say(fmt::format("dropout in training, by config.json: embd_pdrop {}, resid_pdrop {}, attn_pdrop {}",
                        config.embd_pdrop, config.resid_pdrop, config.attn_pdrop));
  if (run_.optimizer->options().layerwise && options_.optimizer.max_grad_norm > 0)
    log.say(fmt::format("layer-wise clipping to {} by {}", options_.optimizer.max_grad_norm,
                        options_.optimizer.layerwise_clipping == "per_tensor"
                            ? "each tensor's own norm"
                            : "the norm of the update before"));
}

}  // namespace galore
