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

Trainer::TakeLine line_taker(const TrainOptions& options, const ProcessPlace& place) {
  if (place.rank == 0) return {};
  if (!options.log_all_ranks) return [](const std::string&) {};
  std::filesystem::create_directories(options.output_dir);
  auto file = std::make_shared<std::ofstream>(
      Path(options.output_dir) / ("rank-" + std::to_string(place.rank) + ".log"), std::ios::app);
  return [file](const std::string& line) { *file << line << std::endl; };
}

TrainResult train_here(TrainOptions& options, OptionTable& table, const ProcessPlace& place,
                       Collective& collective, const std::string& summary) {
  keep_sums(options, table, collective);
  std::vector<std::string> notes = resolve(options, table);
  require_equal_options(options, collective);
  if (!summary.empty())
    notes.push_back(summary + fmt::format("; sums of {} groups do not depend on the number of processes",
                                          options.reduction_groups));
  set_threads(threads_of(options, place));
  Trainer trainer(options, notes, make_model, line_taker(options, place), collective);
  return trainer.run();
}

}  // namespace

SessionResult train_in_session(TrainOptions& options, OptionTable& table) {
  const ProcessPlace place = place_of(options.dist_init);
  take_place(options, place);
  if (place.is_alone()) return {train_here(options, table, place, single_process(), "")};
  take_device(options, place);
  const SessionOptions wishes{options.dist_interface, options.heartbeat_timeout, options.exchange_timeout,
                              options.init_timeout, options.device.starts_with("cuda")};
  std::unique_ptr<Session> session;
  const auto prefix = [&place] { return place.rank == 0 ? "" : fmt::format("rank {}: ", place.rank); };
  try {
    session = std::make_unique<Session>(place, wishes);
    const TrainResult result = train_here(options, table, place, session->collective(), session->summary());
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
