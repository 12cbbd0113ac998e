#include "distributed/place.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>

#include "core/errors.h"
#include "core/fnv1a.h"

namespace galore {
namespace {

constexpr int64_t kDefaultPort = 29500;  // torchrun's

int64_t number_of(const std::string& name, const std::string& text) {
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0)
    fail_usage("distributed", "{}: expected a number from 0, given '{}'", name, text);
  return number;
}

class Variables {
 public:
  explicit Variables(const ReadVariable& read) : read_(read) {}
  bool has(const std::string& name) const { return read_(name).has_value(); }
  std::string text(const std::string& name, const std::string& otherwise = "") const {
    return read_(name).value_or(otherwise);
  }
  int64_t number(const std::string& name, int64_t otherwise) const {
    const auto text = read_(name);
    return text ? number_of(name, *text) : otherwise;
  }
  int64_t number(const std::string& name, const char* with) const {
    const auto text = read_(name);
    if (!text) fail_usage("distributed", "expected {} with {}, given {} alone", name, with, with);
    return number_of(name, *text);
  }

 private:
  const ReadVariable& read_;
};

// Returns a port that the processes of a job agree on, because its name is the same for all of them.
int64_t port_of_job(const std::string& job) { return 20000 + static_cast<int64_t>(fnv1a(job) % 10000); }

ProcessPlace by_torchrun(const Variables& v) {
  ProcessPlace place;
  place.rank = v.number("RANK", "WORLD_SIZE");
  place.size = v.number("WORLD_SIZE", "RANK");
  place.local_size = v.number("LOCAL_WORLD_SIZE", v.has("MASTER_ADDR") ? 1 : place.size);
  place.local_rank = v.number("LOCAL_RANK", place.local_size == place.size ? place.rank : 0);
  place.master = v.text("MASTER_ADDR", "127.0.0.1");
  place.port = v.number("MASTER_PORT", kDefaultPort);
  place.serves = place.rank == 0 && v.text("TORCHELASTIC_USE_AGENT_STORE") != "True";
  place.attempt = v.text("TORCHELASTIC_RUN_ID") + "/" + v.text("TORCHELASTIC_RESTART_COUNT", "0");
  place.origin = "RANK and WORLD_SIZE";
  return place;
}

ProcessPlace by_slurm(const Variables& v) {
  ProcessPlace place;
  place.rank = v.number("SLURM_PROCID", "SLURM_NTASKS");
  place.size = v.number("SLURM_NTASKS", "SLURM_PROCID");
  place.local_rank = v.number("SLURM_LOCALID", int64_t{0});
  const std::string tasks = v.text("SLURM_STEP_TASKS_PER_NODE", v.text("SLURM_TASKS_PER_NODE"));
  place.local_size = tasks.empty() ? 1 : tasks_on_node(tasks, v.number("SLURM_NODEID", int64_t{0}));
  place.master =
      v.text("MASTER_ADDR", first_host(v.text("SLURM_STEP_NODELIST", v.text("SLURM_JOB_NODELIST"))));
  if (place.master.empty() || place.is_on_one_machine()) place.master = v.text("MASTER_ADDR", "127.0.0.1");
  const std::string job = v.text("SLURM_JOB_ID") + "." + v.text("SLURM_STEP_ID");
  place.port = v.number("MASTER_PORT", port_of_job(job));
  place.serves = place.rank == 0;
  place.attempt = job + "/" + v.text("SLURM_RESTART_COUNT", "0");
  place.origin = "SLURM's variables";
  return place;
}

ProcessPlace by_mpi(const Variables& v) {
  const bool open = v.has("OMPI_COMM_WORLD_RANK");
  ProcessPlace place;
  place.rank = v.number(open ? "OMPI_COMM_WORLD_RANK" : "PMI_RANK", int64_t{0});
  place.size =
      v.number(open ? "OMPI_COMM_WORLD_SIZE" : "PMI_SIZE", open ? "OMPI_COMM_WORLD_RANK" : "PMI_RANK");
  place.local_rank = v.number(open ? "OMPI_COMM_WORLD_LOCAL_RANK" : "MPI_LOCALRANKID", int64_t{0});
  place.local_size = v.number(open ? "OMPI_COMM_WORLD_LOCAL_SIZE" : "MPI_LOCALNRANKS", int64_t{1});
  place.master = v.text("MASTER_ADDR", place.is_on_one_machine() ? "127.0.0.1" : "");
  // The processes of one machine have the launcher's agent as their parent.
  const std::string job = v.text("PMIX_NAMESPACE", std::to_string(::getppid()));
  place.port = v.number("MASTER_PORT", place.is_on_one_machine() ? port_of_job(job) : kDefaultPort);
  place.serves = place.rank == 0;
  place.origin = open ? "Open MPI's variables" : "MPICH's variables";
  return place;
}

void take_init(ProcessPlace& place, const std::string& init) {
  if (init.starts_with("file://")) {
    place.file = init.substr(7);
    place.master.clear();
    place.serves = false;
    return;
  }
  const size_t colon = init.rfind(':');
  if (!init.starts_with("tcp://") || colon <= 6)
    fail_usage("dist_init", "expected tcp://host:port or file:///path, given '{}'", init);
  place.master = init.substr(6, colon - 6);
  place.port = number_of("dist_init", init.substr(colon + 1));
  place.serves = place.rank == 0;
}

void check_place(const ProcessPlace& place) {
  if (place.rank >= place.size || place.local_rank >= place.local_size)
    fail_usage("distributed",
               "{}: expected a rank below the number of processes, given {} of {} ({} of {} here)",
               place.origin, place.rank, place.size, place.local_rank, place.local_size);
  if (place.master.empty() && place.file.empty())
    fail_usage("distributed",
               "{}: expected MASTER_ADDR or dist_init=tcp://host:port for processes on several machines",
               place.origin);
}

}  // namespace

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value && *value ? std::optional<std::string>(value) : std::nullopt;
}

std::string first_host(const std::string& list) {
  const size_t end = list.find_first_of(",[");
  if (end == std::string::npos || list[end] == ',') return list.substr(0, end);
  const size_t number_end = list.find_first_of("-,]", end + 1);
  return list.substr(0, end) + list.substr(end + 1, number_end - end - 1);
}

int64_t tasks_on_node(const std::string& list, int64_t node) {
  size_t at = 0;
  while (at < list.size()) {
    const size_t comma = std::min(list.find(',', at), list.size());
    const std::string item = list.substr(at, comma - at);
    const size_t times = item.find("(x");
    const int64_t nodes =
        times == std::string::npos
            ? 1
            : number_of("SLURM_TASKS_PER_NODE", item.substr(times + 2, item.size() - times - 3));
    if (node < nodes) return number_of("SLURM_TASKS_PER_NODE", item.substr(0, times));
    node -= nodes;
    at = comma + 1;
  }
  fail_usage("distributed", "SLURM_TASKS_PER_NODE: expected an entry for node {}, given '{}'", node, list);
}

ProcessPlace place_of(const std::string& init, const ReadVariable& variable) {
  const Variables v(variable);
  ProcessPlace place;
  const bool slurm = v.has("SLURM_STEP_ID") && v.number("SLURM_NTASKS", int64_t{1}) > 1;
  const bool by_hand = v.has("RANK") || v.has("WORLD_SIZE");
  if (by_hand)
    place = by_torchrun(v);
  else if (slurm)
    place = by_slurm(v);
  else if (v.has("OMPI_COMM_WORLD_RANK") || v.has("PMI_RANK"))
    place = by_mpi(v);
  if (!init.empty() && !place.is_alone()) take_init(place, init);
  if (place.is_alone()) return place;
  check_place(place);
  return place;
}

}  // namespace galore
