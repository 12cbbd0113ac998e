#include "train/run_recorder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "kernels/device.h"
#include "report/loss_chart.h"
#include "train/schedule.h"

namespace galore {
namespace {

bool reports_to(const EventOptions& options, const std::string& target) {
  const auto& list = options.report_to;
  return std::count(list.begin(), list.end(), target) + std::count(list.begin(), list.end(), "all") > 0;
}

LogOptions log_options(const EventOptions& options, const std::vector<MetricKind>& metrics,
                       const RunHooks& hooks, bool has_files) {
  LogOptions log;
  log.has_files = has_files;
  log.hooks = hooks;
  log.metrics = metrics;
  log.output_dir = options.output_dir;
  log.jsonl = reports_to(options, "jsonl");
  log.csv = reports_to(options, "csv");
  log.tensorboard = reports_to(options, "tensorboard");
  log.progress_bar = !options.disable_tqdm;
  return log;
}

double mean_loss(const LossWindow& window) {
  return window.updates > 0 ? window.sum / static_cast<double>(window.updates)
                            : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

RunRecorder::RunRecorder(const EventOptions& options, const std::vector<MetricKind>& metrics,
                         const RunHooks& hooks, bool has_files)
    : options_(options), has_files_(has_files), log_(log_options(options, metrics, hooks, has_files)) {}

void RunRecorder::set_speed_of(double operations_per_token, double product_rate, at::Device device) {
  speed_ = {operations_per_token, product_rate, device};
}

void RunRecorder::set_processes(int64_t processes, int64_t ddp_bytes) {
  metrics_.world_size = processes;
  metrics_.exchange_bytes_ddp = ddp_bytes;
}

void RunRecorder::record(const FinishedUpdate& update, RunState& state) {
  add(update, state.window);
  measure(update, state);
  note_refreshes(update.report);
  if (!is_logged(state)) return log_.progress(metrics_);
  tell_refreshes(state.step);
  log_.step(metrics_);
  if (update.mixture) {
    nlohmann::ordered_json fields{{"step", state.step}};
    fields.update(update.mixture());
    log_.event("mixture", fields);
  }
  state.history.push_back({{"step", static_cast<double>(metrics_.step)},
                           {"epoch", metrics_.epoch},
                           {"loss", metrics_.loss},
                           {"grad_norm", metrics_.gradient_norm},
                           {"learning_rate", metrics_.learning_rate}});
  state.window = {};
  timings_ = {};
}

void RunRecorder::add(const FinishedUpdate& update, LossWindow& window) {
  if (std::isfinite(update.loss)) {
    window.sum += update.loss;
    ++window.updates;
  }
  if (!update.accepted || update.report.num_skipped > 0) ++window.skipped;
  for (Timings* timings : {&timings_, &total_}) {
    timings->seconds += update.seconds;
    timings->tokens += update.tokens;
    timings->optimizer += update.report.seconds;
    timings->refresh += update.report.refresh_seconds;
    timings->traffic.bytes += update.traffic.bytes;
    timings->traffic.seconds += update.traffic.seconds;
    ++timings->updates;
  }
}

void RunRecorder::measure(const FinishedUpdate& update, const RunState& state) {
  StepMetrics& m = metrics_;
  m.step = state.step;
  m.total_steps = state.max_steps;
  m.epoch = state.epoch;
  m.loss = mean_loss(state.window);
  m.skipped_updates = state.window.skipped;
  m.gradient_norm = update.report.gradient_norm;
  m.norm_is_projected = update.report.norm_is_projected;
  m.learning_rate = update.learning_rate;
  m.tokens_per_second = static_cast<double>(timings_.tokens) / timings_.seconds;
  m.product_rate_share = m.tokens_per_second * speed_.operations_per_token / speed_.product_rate;
  const MemoryInUse memory = memory_in_use(speed_.device);
  m.memory_bytes = memory.current;
  m.peak_memory_bytes = memory.peak;
  m.tokens_seen = state.tokens_seen;
  m.optimizer_seconds = timings_.optimizer;
  m.refresh_seconds = timings_.refresh;
  m.data_seconds = timings_.data;
  m.exchange_bytes = timings_.traffic.bytes / timings_.updates;
  m.exchange_seconds = timings_.traffic.seconds;
  m.clip_factor = update.report.clip_factor;
  m.mean_rank = update.report.mean_rank;
  m.seconds_left = total_.seconds / static_cast<double>(total_.tokens) * static_cast<double>(update.tokens) *
                   static_cast<double>(state.max_steps - state.step);
}

bool RunRecorder::is_logged(const RunState& state) const {
  const int64_t every = steps_of(options_.logging_steps, state.max_steps);
  const bool is_first = state.step == 1 && options_.logging_first_step;
  return is_first || (every > 0 && state.step % every == 0) || state.step == state.max_steps;
}

void RunRecorder::note_refreshes(const UpdateReport& report) {
  for (const RefreshedBasis& basis : report.refreshed) {
    refreshed_["ranks"][basis.parameter] = basis.rank;
    if (basis.captured_energy)
      refreshed_["captured_energy"][basis.parameter] = std::round(*basis.captured_energy * 1e6) / 1e6;
  }
}

void RunRecorder::tell_refreshes(int64_t step) {
  if (refreshed_.is_null()) return;
  nlohmann::ordered_json fields{{"step", step}};
  fields.update(refreshed_);
  log_.event("subspace", fields);
  refreshed_ = nullptr;
}

void RunRecorder::record(const Evaluation& evaluation, RunState& state) {
  log_.say(
      fmt::format("step {}: {}  ({} tokens, {:.1f} s)", state.step,
                  text_of(evaluation.metrics, "  ", /*all=*/true), evaluation.num_tokens, evaluation.seconds),
      Tone::result);
  nlohmann::ordered_json fields{{"step", state.step}, {"epoch", state.epoch}};
  LogEntry entry{{"step", static_cast<double>(state.step)}, {"epoch", state.epoch}};
  for (const Metric& metric : evaluation.metrics) {
    fields[metric.name] = metric.value;
    if (!metric.is_for_comparison()) entry.emplace_back(metric.name, metric.value);
  }
  fields.update({{"num_tokens", evaluation.num_tokens}, {"seconds", evaluation.seconds}});
  log_.event("eval", fields);
  state.history.push_back(entry);
}

void RunRecorder::draw_losses(const RunState& state) const {
  ChartPoints training, evaluation;
  for (const LogEntry& entry : state.history) {
    const std::map<std::string, double> values(entry.begin(), entry.end());
    if (values.contains("loss")) training.emplace_back(values.at("step"), values.at("loss"));
    if (values.contains("eval_loss")) evaluation.emplace_back(values.at("step"), values.at("eval_loss"));
  }
  const std::string title = options_.run_name.empty() ? "Loss" : options_.run_name;
  const std::string chart = loss_chart(title, training, evaluation);
  const Path path = Path(options_.output_dir) / "training_loss.svg";
  if (has_files_ && !chart.empty()) write_file_atomically(path, chart);
}

double RunRecorder::tokens_per_second() const {
  return total_.seconds > 0 ? static_cast<double>(total_.tokens) / total_.seconds : 0;
}

}  // namespace galore
