// The state of a run apart from the weights: optimizer.safetensors, trainer_state.json and rng_state.json.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/safetensors.h"
#include "core/state_visitor.h"

namespace galore {

// Collects named tensors and scalars. Tensors are kept by reference and must not change before write();
// scalars are kept by value, as tensors of one element (int64 or float64). Undefined tensors are left out. A
// name that is visited twice is an Error in write().
class StateWriter : public StateVisitor {
 public:
  void tensor(const std::string& name, at::Tensor& tensor) override;
  void scalar(const std::string& name, int64_t& value) override;
  void scalar(const std::string& name, double& value) override;

  void write(const Path& path) const { write_safetensors(path, tensors_); }
  size_t size() const { return tensors_.size(); }

 protected:
  std::vector<TensorToWrite> tensors_;
};

// Copies stored state into its place. A wrong shape or dtype is an Error at once. Names that are only stored
// or only visited are collected, and finish() throws if there are any. An undefined tensor becomes the stored
// tensor, on the CPU, or stays undefined when none is stored.
class StateReader : public StateVisitor {
 public:
  explicit StateReader(Path path) : file_(std::move(path)) {}

  void tensor(const std::string& name, at::Tensor& tensor) override;
  void scalar(const std::string& name, int64_t& value) override;
  void scalar(const std::string& name, double& value) override;
  // What belongs to another process may be stored and not visited.
  bool owned(const std::string& prefix, int owner, bool is_here) override;

  bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  const std::vector<std::string>& missing() const { return missing_; }  // visited, but not stored
  std::vector<std::string> unused() const;                              // stored, but not visited
  void finish() const;

 private:
  const TensorInfo* find(const std::string& name, at::ScalarType dtype);

  SafetensorsReader file_;
  std::set<std::string> used_;
  std::vector<std::string> missing_;
};

// One logged event as pairs of name and number, in the order of writing. "step" and whole numbers below 2^53
// are written as whole numbers, and numbers that are not finite as null.
using LogEntry = std::vector<std::pair<std::string, double>>;

// The contents of trainer_state.json. The first fields are those of transformers' TrainerState, which can
// read the file. Our own fields are below "stateful_callbacks": {"galore": ...}, where TrainerState accepts
// them.
struct TrainerState {
  int64_t global_step = 0;
  int64_t max_steps = 0;
  double epoch = 0;
  std::vector<LogEntry> log_history;
  std::optional<double> best_metric;
  std::string best_model_checkpoint;  // "": none
  // such as the number of tokens seen and the position of the loader
  std::map<std::string, int64_t> counters;
  std::map<std::string, double> numbers;
  std::map<std::string, std::string> settings;  // such as the resolved configuration
};

void write_trainer_state(const Path& path, const TrainerState& state);
// Reads the file. A missing key or a value of the wrong type is an Error that names the key.
TrainerState read_trainer_state(const Path& path);

// rng_state.json holds seeds and counters. Nothing else is needed, because streams are counter based.
void write_rng_state(const Path& path, const std::map<std::string, uint64_t>& values);

}  // namespace galore
