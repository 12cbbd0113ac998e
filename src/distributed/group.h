// The engine of the processes: a store of small facts, and collective operations on tensors. PyTorch's c10d
// stands behind it, in group_gloo.cpp and group_nccl.cpp alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace galore {

// A table of texts that all processes of a run see. A client serves one thread at a time. Calls throw when
// the store cannot be reached.
class Store {
 public:
  virtual ~Store() = default;
  virtual void set(const std::string& key, const std::string& value) = 0;
  // Returns nothing if the key was never set.
  virtual std::optional<std::string> find(const std::string& key) = 0;
  // Returns a client with a connection of its own.
  virtual std::unique_ptr<Store> clone() = 0;
};

// Where a store listens. A port of 0 is replaced by a free one.
struct StorePlace {
  std::string host;
  int64_t port = 0;
};

// The store of a port; the first one is kept by this process as long as the object exists.
std::unique_ptr<Store> serve_store(StorePlace& place, double timeout);
std::unique_ptr<Store> connect_store(const StorePlace& place, double timeout);
// A store in a file that all processes see.
std::unique_ptr<Store> file_store(const std::string& path, int64_t processes);
// A store for the threads of one process.
std::unique_ptr<Store> thread_store();

// An operation that was begun. Its tensors are kept until it is destroyed.
class Pending {
 public:
  virtual ~Pending() = default;
  // Throws when the connection to a process is lost.
  virtual void wait() = 0;
};

// All processes must call the same functions in the same order. Tensors are contiguous.
class Group {
 public:
  virtual ~Group() = default;
  // Sends `sent_counts[i]` elements to process i, one part after the other, and receives
  // `received_counts[i]` from it.
  virtual std::unique_ptr<Pending> all_to_all(const at::Tensor& received, const at::Tensor& sent,
                                              const std::vector<int64_t>& received_counts,
                                              const std::vector<int64_t>& sent_counts) = 0;
  // Receives the tensors of all processes, one after the other.
  virtual std::unique_ptr<Pending> all_gather(const at::Tensor& received, const at::Tensor& sent) = 0;
  virtual std::unique_ptr<Pending> broadcast(const at::Tensor& tensor, int64_t from) = 0;
};

struct GroupOptions {
  int64_t index = 0, size = 1;
  // The address or host name, or the network interface, that the other processes connect to. One is set.
  std::string address, interface;
  double timeout = 1800;  // seconds that an operation may last
  std::string prefix;     // of the keys in the store: another one for each attempt of a run
  bool on_gpu = false;    // tensors of GPUs are sent by NCCL, those of the CPU always by gloo
};

std::unique_ptr<Group> make_group(Store& store, const GroupOptions& options);
// Returns a new c10d::Backend over NCCL, for group_gloo.cpp. `store` is a c10d::Store.
void* nccl_backend(void* store, const GroupOptions& options);

}  // namespace galore
