// Lets a layer change its parameters between two updates together with the optimizer's state of them: layers
// that merge factors into a weight, draw them anew, prune them or change their rank need this.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "core/random.h"

namespace galore {

struct Parameter;

// The optimizer's state of its parameters, between two updates. The averages of a parameter are the averages
// of its gradients that its update rule and method keep, such as Adam's two moments; for a projected weight
// they are averages of low-rank gradients. Bases and counts of updates are never edited, so bias corrections
// go on. The averages of a parameter that is not trained are empty.
class StateEditor {
 public:
  virtual ~StateEditor() = default;
  // Returns the parameter's value as a new fp32 tensor, from the most exact copy that exists.
  virtual at::Tensor value(const Parameter& parameter) const = 0;
  // Replaces the parameter's value by a tensor of its shape, and all copies of it. Values in bf16 or in codes
  // are rounded to nearest.
  virtual void replace(Parameter& parameter, const at::Tensor& value) = 0;
  // Gives the parameter this value of other sizes, but of as many dimensions. Each of its averages keeps the
  // elements that both sizes have, and is zero elsewhere. Its method must have no basis.
  virtual void resize(Parameter& parameter, const at::Tensor& value) = 0;
  // Sets the parameter's averages to zero.
  virtual void reset(Parameter& parameter) = 0;
  // Sets each element of the parameter's averages to zero with this probability. The choice depends only on
  // the run's seed, the number of the update and the names of parameter and average.
  virtual void prune_at_random(Parameter& parameter, double probability) = 0;
  // Sets the elements to zero that are not larger in magnitude than this quantile (0 to 1) of their average.
  virtual void prune_smallest(Parameter& parameter, double quantile) = 0;
  // Returns a stream of random numbers keyed by the run's seed, the purpose, the parameter's name and the
  // number of the update.
  virtual RandomStream stream(const Parameter& parameter, const char* purpose) const = 0;
  // Reports a message to the user with this update.
  virtual void note(const std::string& message) = 0;
  // Reports the rank of a layer that chooses it, in every update. The log has the mean over these layers, and
  // the rank of each layer whose rank has `changed`.
  virtual void report_rank(const std::string& layer, int64_t rank, bool changed) = 0;
};

// A layer that is told about updates.
class UpdateListener {
 public:
  virtual ~UpdateListener() = default;
  // Called when update number `update`, counted from 1, has changed all weights, and not for a discarded
  // update. On the meta device a listener does in every call all that it ever does, so that a memory plan
  // counts it.
  virtual void after_update(int64_t update, StateEditor& state) = 0;
};

}  // namespace galore
