#include "train/bench.h"

#include <ATen/ATen.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "core/clock.h"
#include "core/random.h"
#include "kernels/device.h"
#include "optim/settings.h"
#include "tasks/task.h"
#include "train/product_rate.h"
#include "train/run_builder.h"

namespace galore {
namespace {

// Field 22 of /proc/self/stat is the start time of the process in clock ticks since boot.
double seconds_since_process_start() {
  std::ifstream stat("/proc/self/stat"), uptime("/proc/uptime");
  std::string field;
  stat.ignore(4096, ')');
  for (int i = 3; i <= 22; ++i) stat >> field;
  double since_boot = 0;
  uptime >> since_boot;
  return since_boot - std::stod(field) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

int64_t minor_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Returns the smallest value that at least this share of `values` does not exceed.
double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto count = static_cast<double>(values.size());
  const size_t index = std::min(values.size() - 1, static_cast<size_t>(share * count));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values.end());
  return values[index];
}

double median(const std::vector<double>& values) { return percentile(values, 0.5); }

// Returns a micro-batch of random tokens, which are the same in every run.
Batch random_batch(const TrainOptions& options, const ModelConfig& config, int64_t number) {
  at::Tensor ids = at::empty({options.per_device_train_batch_size, options.max_length}, at::kLong);
  RandomStream random(static_cast<uint64_t>(options.seed), "bench", "", static_cast<uint64_t>(number));
  int64_t* data = ids.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < ids.numel(); ++i)
    data[i] = static_cast<int64_t>(random.below(static_cast<uint64_t>(config.vocab_size)));
  return find_task(options.task, options.task_name).batch_of(ids);
}

struct Timings {
  std::vector<double> step, optimizer;      // seconds without refreshes
  std::vector<double> whole, refresh;       // steps with refreshes, and the refreshes alone
  double first_refresh = 0, refreshes = 0;  // all bases in the first step; the sum over the timed steps
  double first = 0;
  int64_t faults = 0;
};

Timings time_steps(const TrainOptions& options, const RunObjects& run, int64_t steps) {
  TrainableModel& model = *run.model;
  Optimizer& optimizer = *run.optimizer;
  Timings timings;
  constexpr int64_t kWarmUp = 2;
  const int64_t micro_batches = options.gradient_accumulation_steps;
  const double scale = 1.0 / static_cast<double>(micro_batches * options.per_device_train_batch_size *
                                                 (options.max_length - 1));
  const at::Device device = model.parameters().front()->value.device();
  int64_t faults_before = 0;
  for (int64_t step = 0; step < steps + kWarmUp; ++step) {
    if (step == kWarmUp) faults_before = minor_faults();
    const double start = steady_seconds();
    optimizer.begin_update(options.learning_rate, micro_batches);
    for (int64_t i = 0; i < micro_batches; ++i) {
      const Batch batch = random_batch(options, model.config(), step * micro_batches + i);
      model.set_dropout({static_cast<uint64_t>(options.seed), step, i * options.per_device_train_batch_size});
      model.train_step(batch, scale);
    }
    const UpdateReport report = optimizer.finish_update();
    wait_for(device);
    if (step == 0) timings.first = seconds_since_process_start();
    if (step == 0) timings.first_refresh = report.refresh_seconds;
    if (step < kWarmUp) continue;
    timings.whole.push_back(steady_seconds() - start);
    timings.refresh.push_back(report.refresh_seconds);
    timings.step.push_back(timings.whole.back() - report.refresh_seconds);
    timings.optimizer.push_back(report.seconds - report.refresh_seconds);
    timings.refreshes += report.refresh_seconds;
  }
  timings.faults = (minor_faults() - faults_before) / std::max<int64_t>(1, steps);
  return timings;
}

double refresh_seconds_per_step(const Timings& timings, const SubspaceOptions& subspace) {
  return subspace.staggered() ? timings.refreshes / static_cast<double>(timings.step.size())
                              : timings.first_refresh / static_cast<double>(subspace.update_proj_gap);
}

}  // namespace

BenchResult bench(TrainOptions options, int64_t steps, const Say& say) {
  const ModelConfig config = model_config_of(options);
  const ModelOptions model_settings = model_options(options);
  const at::Device device = device_of(options.device);
  const MemoryFit fit = require_fit(options, config, memory_at_hand(options, device), {}, say);
  BenchResult result;
  result.program_bytes = program_bytes(fit.plan);
  result.library_bytes = fit.libraries;
  RunObjects run = build_model(config, model_settings, device);
  set_weights(*run.model, options, options.seed);
  add_optimizer(run, options.optimizer, options.learning_rate);
  const Timings timings = time_steps(options, run, steps);

  const double tokens = static_cast<double>(options.per_device_train_batch_size *
                                            options.gradient_accumulation_steps * options.max_length);
  result.step_seconds = median(timings.step);
  result.slow_refresh_share = percentile(timings.refresh, 0.99) / median(timings.whole);
  result.slow_step_share = percentile(timings.whole, 0.99) / median(timings.whole);
  result.optimizer_seconds = median(timings.optimizer);
  result.refresh_seconds = timings.first_refresh;
  result.tokens_per_second = tokens / result.step_seconds;
  const double refresh_per_step = refresh_seconds_per_step(timings, options.optimizer.settings->subspace);
  result.tokens_per_second_with_refresh = tokens / (result.step_seconds + refresh_per_step);
  result.first_step_seconds = timings.first;
  result.peak_memory_bytes = memory_in_use(device).peak;
  result.planned_bytes = run.ledger->total();
  result.rows = options.per_device_train_batch_size;
  result.micro_batches = options.gradient_accumulation_steps;
  result.minor_faults_per_step = timings.faults;
  result.product_rate = measure_product_rate(model_settings.compute_dtype, device);
  result.product_rate_share =
      result.tokens_per_second * operations_per_token(config, options.max_length) / result.product_rate;
  return result;
}

}  // namespace galore
