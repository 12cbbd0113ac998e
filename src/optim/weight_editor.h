// Edits weights and their state between two updates, for layers (core/state_editor.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/state_editor.h"
#include "optim/update_driver.h"
#include "optim/update_report.h"

namespace galore {

class WeightEditor : public StateEditor {
 public:
  // Edits after `updates` updates. The references must outlive this object.
  WeightEditor(const UpdateDriver::Weights& weights, uint64_t seed, int64_t updates, Workspace& workspace)
      : weights_(weights), seed_(seed), updates_(updates), workspace_(workspace) {}

  at::Tensor value(const Parameter& parameter) const override;
  void replace(Parameter& parameter, const at::Tensor& value) override;
  void resize(Parameter& parameter, const at::Tensor& value) override;
  void reset(Parameter& parameter) override;
  void prune_at_random(Parameter& parameter, double probability) override;
  void prune_smallest(Parameter& parameter, double quantile) override;
  RandomStream stream(const Parameter& parameter, const char* purpose) const override {
    return {seed_, purpose, parameter.name, static_cast<uint64_t>(updates_)};
  }
  void note(const std::string& message) override { messages_.push_back(message); }
  void report_rank(const std::string& layer, int64_t rank, bool changed) override;
  // Puts the messages and the ranks into the report of this update.
  void complete(UpdateReport& report) const;

 private:
  using Change = std::function<void(const std::string& name, StoredAverage& average)>;
  WeightState* find(const Parameter& parameter) const;
  void change_averages(const Parameter& parameter, const Change& change);

  const UpdateDriver::Weights& weights_;
  uint64_t seed_;
  int64_t updates_;
  Workspace& workspace_;
  std::vector<std::string> messages_;
  std::vector<RefreshedBasis> changed_ranks_;
  int64_t sum_of_ranks_ = 0, num_ranks_ = 0;
};

}  // namespace galore
