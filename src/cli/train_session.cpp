#include "cli/train_session.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/errors.h"
#include "distributed/place.h"
#include "distributed/session.h"
#include "kernels/device.h"
#include "train/distribution.h"
#include "train/inputs.h"

namespace galore {
namespace {

// Returns the threads of this process. The processes of a machine share its processors, unless the launcher
// has bound each of them to some, as srun and mpirun may do.
int64_t threads_of(const TrainOptions& options, const ProcessPlace& place) {
  if (options.threads > 0 || place.local_size == 1) return options.threads;
  const auto usable = static_cast<int64_t>(std::thread::hardware_concurrency());
  const bool is_bound = usable < ::sysconf(_SC_NPROCESSORS_ONLN) && place.origin != "RANK and WORLD_SIZE";
  return is_bound ? usable : std::max<int64_t>(1, usable / place.local_size);
}

void take_place(TrainOptions& options, const ProcessPlace& place) {
  options.process = place.rank;
  options.processes = place.size;
  options.local_processes = place.local_size;
  if (options.nproc_per_node > 0 && options.nproc_per_node != place.local_size)
    fail_usage("nproc_per_node", "expected 0 or {}, as {} say, given {}", place.local_size, place.origin,
               options.nproc_per_node);
}

// Each process of a machine has a GPU of its own.
void take_device(TrainOptions& options, const ProcessPlace& place) {
  const at::Device device = device_of(options.device);
  if (!device.is_cuda()) return;
  if (device.has_index() && options.device != "auto" && options.device != "cuda")
    fail_usage("device", "expected cpu, cuda or auto with several processes, given {}", options.device);
  options.device = fmt::format("cuda:{}", place.local_rank);
}

// Tells torchrun why this process failed. It shows the text of the first process that did.
void write_error_file(const std::string& reason) {
  const auto path = environment_variable("TORCHELASTIC_ERROR_FILE");
  if (!path) return;
  const nlohmann::json message{{"message", reason},
                               {"extraInfo", {{"py_callstack", reason}, {"timestamp", "0"}}}};
  std::ofstream(*path) << nlohmann::json{{"message", message}}.dump();
}

// Processes other than the first one report nothing, or into a file of their own.
RunHooks hooks_of(const TrainOptions& options, const ProcessPlace& place, const RunHooks& of_first) {
  if (place.rank == 0) return of_first;
  RunHooks hooks{.take_line = [](const std::string&) {}, .stop = of_first.stop};
  if (!options.log_all_ranks) return hooks;
  std::filesystem::create_directories(options.output_dir);
  auto file = std::make_shared<std::ofstream>(
      Path(options.output_dir) / ("rank-" + std::to_string(place.rank) + ".log"), std::ios::app);
  hooks.take_line = [file](const std::string& line) { *file << line << std::endl; };
  return hooks;
}

// A session of this process, and the line that describes it.
struct Membership {
  ProcessPlace place;
  Collective& collective;
  std::string summary;
};

TrainResult train_here(TrainOptions& options, OptionTable& table, const Membership& member,
                       const RunHooks& hooks) {
  const auto& [place, collective, summary] = member;
  keep_sums(options, table, collective);
  std::vector<std::string> notes = resolve(options, table);
  require_equal_options(options, collective);
  if (!summary.empty())
    notes.push_back(summary + fmt::format("; sums of {} groups do not depend on the number of processes",
                                          options.reduction_groups));
  set_threads(threads_of(options, place));
  Trainer trainer(options, notes, make_model, hooks_of(options, place, hooks), collective);
  return trainer.run();
}

}  // namespace

nlohmann::ordered_json result_json(const TrainResult& result) {
  nlohmann::ordered_json json{{"steps", result.steps},
                              {"tokens_seen", result.tokens_seen},
                              {"seconds", result.seconds},
                              {"tokens_per_second", result.tokens_per_second},
                              {"loss", result.last_loss},
                              {"peak_memory_bytes", result.peak_memory_bytes},
                              {"planned_bytes", result.planned_bytes},
                              {"program_bytes", result.program_bytes},
                              {"library_bytes", result.library_bytes},
                              {"output_dir", result.output_dir.string()}};
  if (result.best_metric) {
    json["best_metric"] = *result.best_metric;
    json["best_step"] = result.best_step;
  }
  if (result.evaluation)
    for (const Metric& metric : result.evaluation->metrics) json[metric.name] = metric.value;
  return json;
}

SessionResult train_in_session(TrainOptions& options, OptionTable& table, const RunHooks& hooks) {
  const ProcessPlace place = place_of(options.dist_init);
  take_place(options, place);
  if (place.is_alone()) return {train_here(options, table, {place, single_process(), ""}, hooks)};
  take_device(options, place);
  const SessionOptions wishes{options.dist_interface, options.heartbeat_timeout, options.exchange_timeout,
                              options.init_timeout, options.device.starts_with("cuda")};
  std::unique_ptr<Session> session;
  const auto prefix = [&place] { return place.rank == 0 ? "" : fmt::format("rank {}: ", place.rank); };
  try {
    session = std::make_unique<Session>(place, wishes);
    const TrainResult result =
        train_here(options, table, {place, session->collective(), session->summary()}, hooks);
    session->leave();
    return {result, place.rank == 0};
  } catch (const LostProcess& error) {
    write_error_file(first_line(error.what()));
    throw LostProcess(prefix() + first_line(error.what()));
  } catch (const std::exception& error) {
    if (session) session->tell(first_line(error.what()));
    write_error_file(first_line(error.what()));
    if (dynamic_cast<const UsageError*>(&error)) throw UsageError(prefix() + first_line(error.what()));
    throw Error(prefix() + first_line(error.what()));
  }
}

}  // namespace galore
