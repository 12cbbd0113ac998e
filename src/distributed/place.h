// Finds out which process of a run this one is, from the variables that launchers set.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace galore {

// Returns the value of an environment variable, or nothing.
using ReadVariable = std::function<std::optional<std::string>(const std::string& name)>;
std::optional<std::string> environment_variable(const std::string& name);

struct ProcessPlace {
  int64_t rank = 0, size = 1;
  int64_t local_rank = 0, local_size = 1;  // among the processes of this machine
  std::string master;                      // the host on which the store listens; "" if it is a file
  int64_t port = 0;
  std::string file;           // of a store in a file; "" for none
  bool serves = false;        // whether this process keeps the store
  std::string attempt = "0";  // of torchrun, which starts failed runs again
  std::string origin = "alone";
  bool is_alone() const { return size == 1; }
  bool is_on_one_machine() const { return local_size == size; }
};

// `init` is the option dist_init: tcp://host:port, file:///path or "". RANK and WORLD_SIZE (torchrun, or by
// hand) win over the variables of SLURM's srun, and those over Open MPI's and MPICH's. Variables that
// contradict each other are a UsageError.
ProcessPlace place_of(const std::string& init, const ReadVariable& variable = environment_variable);

// Returns the first host of SLURM's list, such as "node[03-05,9],login".
std::string first_host(const std::string& list);
// Returns the number of tasks on a node of SLURM's list, such as "2(x3),1".
int64_t tasks_on_node(const std::string& list, int64_t node);

}  // namespace galore
