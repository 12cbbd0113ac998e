#include "train/memory_fit.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/errors.h"
#include "data/mixture_options.h"
#include "data/stream_source.h"
#include "kernels/device.h"
#include "train/distribution.h"
#include "train/inputs.h"
#include "train/mixture_setup.h"
#include "train/run_builder.h"

namespace galore {
namespace {

std::string text_of(int64_t bytes) { return format_bytes(static_cast<double>(bytes)); }

// Returns the batch size that auto_find_batch_size had chosen in the resumed run, if the options still allow
// it.
std::optional<BatchSize> choice_before(const std::map<std::string, std::string>& before,
                                       const std::vector<BatchSize>& allowed) {
  const auto is = [&](const char* name, const std::string& value) {
    const auto found = before.find(name);
    return found != before.end() && found->second == value;
  };
  if (!is("auto_find_batch_size", "true")) return std::nullopt;
  for (const BatchSize& size : allowed)
    if (is("per_device_train_batch_size", std::to_string(size.rows)) &&
        is("gradient_accumulation_steps", std::to_string(size.micro_batches)))
      return size;
  return std::nullopt;
}

class BatchFinder {
 public:
  BatchFinder(const TrainOptions& options, const ModelConfig& config, const MemoryAtHand& at_hand)
      : options_(options), config_(config), at_hand_(at_hand), sizes_(equal_batches(options)) {}

  MemoryFit fit_of(const BatchSize& size) const {
    TrainOptions options = options_;
    set_batch_size(options, size);
    return plan_fit(options, config_, at_hand_);
  }
  // Returns the largest batch size that fits or, if none does, the one that needs least memory. A smaller
  // batch may need more, because accumulation costs layer-wise mode one buffer per weight.
  BatchSize largest() const {
    BatchSize least = sizes_.front();
    int64_t least_need = std::numeric_limits<int64_t>::max();
    for (const BatchSize& size : sizes_) {
      const MemoryFit fit = fit_of(size);
      if (fit.fits()) return size;
      if (fit.need() >= least_need) continue;
      least = size;
      least_need = fit.need();
    }
    return least;
  }
  BatchSize choose(const std::map<std::string, std::string>& before, const Say& say) const {
    const auto kept = choice_before(before, sizes_);
    if (kept && fit_of(*kept).fits()) {
      say("auto_find_batch_size: " + kept->text() + ", the checkpoint's choice, fits still");
      return *kept;
    }
    const BatchSize refused = kept.value_or(sizes_.front()), chosen = largest();
    if (chosen.rows == sizes_.front().rows) {
      say("auto_find_batch_size: as given: " + explain(chosen));
    } else {
      say(fmt::format("auto_find_batch_size: {}{}; taken instead: {}", kept ? "the checkpoint's " : "",
                      explain(refused), explain(chosen)));
    }
    return chosen;
  }

 private:
  std::string explain(const BatchSize& size) const {
    return size.text() + ", which " + describe(fit_of(size));
  }

  const TrainOptions& options_;
  const ModelConfig& config_;
  const MemoryAtHand& at_hand_;
  std::vector<BatchSize> sizes_;
};

}  // namespace

Workload workload_of(const DataOptions& data, const TaskOptions& task) {
  Workload workload{data.per_device_train_batch_size,
                    has_eval_data(data) ? data.per_device_eval_batch_size : 0,
                    data.max_length,
                    data.gradient_accumulation_steps,
                    task.task,
                    task.task_name,
                    task};
  workload.share = largest_share_of(data);
  workload.learning = parse_learning(data.mixture_learning, data.mixture_args);
  if (!workload.learning.learns()) return workload;
  workload.num_sources = std::ssize(parse_mixture(data.mixture));
  workload.measured_rows = measured_rows_of(data, workload.num_sources);
  return workload;
}

MemoryAtHand memory_at_hand(const MachineOptions& machine, at::Device device, int64_t local_processes) {
  MemoryAtHand at_hand = memory_at_hand(device);
  if (device.is_cpu()) at_hand.bytes /= local_processes;
  if (const int64_t limit = parse_bytes("memory", "memory_limit", machine.memory_limit); limit > 0)
    at_hand.bytes = limit, at_hand.source = "memory_limit";
  if (device.is_cpu()) at_hand.held -= measured_library_bytes();
  return at_hand;
}

int64_t data_bytes(const DataOptions& data, const MachineOptions& machine) {
  if (!data.streaming || !device_of(machine.device).is_cpu()) return 0;
  const int64_t streams = data.mixture.empty() ? 1 : std::ssize(parse_mixture(data.mixture));
  return streams * stream_bytes(data.buffer_size, data.max_length, data.dataloader_num_workers);
}

MemoryFit plan_fit(const TrainOptions& options, const ModelConfig& config, const MemoryAtHand& at_hand) {
  MemoryFit fit{plan_memory(config, model_options(options), options.optimizer, workload_of(options, options)),
                at_hand, 0, 0};
  fit.libraries = library_bytes(fit.plan.libraries);
  fit.program = at_hand.held + fit.libraries + data_bytes(options, options);
  return fit;
}

std::string BatchSize::text() const {
  return fmt::format("per_device_train_batch_size={} with gradient_accumulation_steps={}", rows,
                     micro_batches);
}

std::vector<BatchSize> equal_batches(const DataOptions& data) {
  const int64_t total = data.per_device_train_batch_size * data.gradient_accumulation_steps;
  std::vector<BatchSize> sizes;
  for (int64_t rows = data.per_device_train_batch_size; rows > 0; --rows)
    if (total % rows == 0) sizes.push_back({rows, total / rows});
  return sizes;
}

void set_batch_size(DataOptions& data, const BatchSize& size) {
  data.per_device_train_batch_size = size.rows;
  data.gradient_accumulation_steps = size.micro_batches;
}

void find_batch_size(TrainOptions& options, const ModelConfig& config, const MemoryAtHand& at_hand,
                     const std::map<std::string, std::string>& before, const Say& say) {
  set_batch_size(options, BatchFinder(options, config, at_hand).choose(before, say));
}

MemoryFit require_fit(TrainOptions& options, const ModelConfig& config, const MemoryAtHand& at_hand,
                      const std::map<std::string, std::string>& before, const Say& say,
                      Collective& collective) {
  if (options.auto_find_batch_size) {
    find_batch_size(options, config, at_hand, before, say);
    const std::vector<double> rows =
        collective.gather({static_cast<double>(options.per_device_train_batch_size)});
    const auto least = static_cast<int64_t>(*std::min_element(rows.begin(), rows.end()));
    const std::vector<BatchSize> sizes = equal_batches(options);
    const auto agreed =
        std::find_if(sizes.begin(), sizes.end(), [&](const auto& size) { return size.rows == least; });
    GALORE_ASSERT(agreed != sizes.end());  // all processes choose among the same sizes
    if (least < options.per_device_train_batch_size)
      say(fmt::format("auto_find_batch_size: a process with less memory takes {}, and so do all",
                      agreed->text()));
    set_batch_size(options, *agreed);
  }
  MemoryFit fit = plan_fit(options, config, at_hand);
  if (fit.fits()) return fit;
  if (options.memory_check)
    fail("memory",
         "expected at most {} ({}), the run needs {} ({} planned, {} for the program and its libraries); {}; "
         "memory_check=false starts anyway",
         text_of(at_hand.bytes), at_hand.source, text_of(fit.need()), text_of(fit.plan.total()),
         text_of(fit.program), remedies(options, config, fit));
  say("note: memory_check=false: the run " + describe(fit));
  return fit;
}

std::string describe(const MemoryFit& fit) {
  return fmt::format("{}: it needs {}, at hand are {} ({})", fit.fits() ? "fits" : "does not fit",
                     text_of(fit.need()), text_of(fit.at_hand.bytes), fit.at_hand.source);
}

}  // namespace galore
