// Trains the parameters of a model: it collects their gradients, asks their methods for directions, and
// writes the weights.
//
// It works in one of two modes. In whole-model mode every gradient is kept until finish_update(). In
// layer-wise mode a weight is updated during the backward pass, as soon as its last use has reported its
// gradient, and the gradient's buffer serves the next weight. Both modes accumulate over micro-batches, take
// one step of the schedule per update, and give the same weights to the last bit if nothing is clipped.
// Whole-model mode clips by the norm of this update's gradient, layer-wise mode by the norm of the update
// before or of each tensor.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/parameter.h"
#include "core/state_visitor.h"
#include "core/update_share.h"
#include "optim/optimizer_options.h"
#include "optim/update_report.h"

namespace galore {

class Collective;
class Subspace;
class UpdateDriver;
Collective& single_process();  // core/collective.h

// The learning rate and the decay of one weight.
struct WeightRates {
  double learning_rate = 1, weight_decay = 0;
};

class Optimizer {
 public:
  // Attaches a sink to every trainable parameter and detaches the sinks when destroyed; the parameters must
  // outlive the optimizer. A parameter that is not trainable gets no sink and no state. With several
  // processes, each process reports the gradients of its share of the micro-batches, and all make the same
  // update from the sum; their parameters must start equal.
  Optimizer(const ParameterList& parameters, const OptimizerOptions& options, Workspace& workspace,
            Collective& collective = single_process());
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Call it before the first micro-batch of an update. `learning_rate` applies to this update. The optimizer
  // ignores `settings.learning_rate`; the caller's schedule uses it.
  void begin_update(double learning_rate, int64_t micro_batches);
  // Begins an update of several processes, or one with sums by groups. Sums have the bits that one process
  // gets with the same numbers of micro-batches and groups. A process without a micro-batch (share.idle())
  // makes one backward pass over any batch, whose gradients are dropped.
  void begin_update(double learning_rate, const UpdateShare& share);
  // Sets the rates of each trainable parameter, in their order, from the next update on. begin_update()'s
  // learning rate multiplies them.
  void set_rates(const std::vector<WeightRates>& rates);
  // An update that begins with so many micro-batches has an unknown number, which is at least two.
  static constexpr int64_t kUnknownMicroBatches = int64_t{1} << 40;
  // Tells that the next report of a trainable parameter, given by its place among them, is its last one in an
  // update with an unknown number of micro-batches.
  void close(size_t index);
  // Reports the gradient of a trainable parameter, given by its place among them, in place of
  // GradientSink::add(). It must stay as it is until use_done() has returned, and is then not copied where
  // that can be avoided.
  void lend(size_t index, const at::Tensor& gradient);
  // Returns the sum of the gradients that a trainable parameter, given by its place among them, has got in
  // this update, in fp32 and maybe projected. Before its last use_done() the caller may change it in place.
  at::Tensor sum_of(size_t index);
  // Call it after the last micro-batch of an update. With `discard` the update does not count, and a refresh
  // that was due stays due in the next update. In whole-model mode weights and state stay unchanged. Weights
  // that layer-wise mode has written during the backward pass stay written.
  // Layers that listen (Parameter::listener) are told about an update that counts, in the order of the
  // parameters. They may then change weights and state, the same in both modes.
  UpdateReport finish_update(bool discard = false);

  // Makes the state of parameters anew that have got other sizes since the optimizer was made, before the
  // state of a run is read.
  void follow_sizes();

  int64_t num_updates() const;
  bool lifts_lazily() const;  // true if any weight is lifted lazily
  // Returns the bytes of the state that each of several processes has alone (ownership.h).
  std::vector<int64_t> owned_bytes(int64_t processes) const;
  // Returns the subspace of a parameter's gradient, or null if it has none or no direction of it is known
  // yet.
  Subspace* subspace_of(const Parameter& parameter) const;
  const Grouping& grouping() const { return grouping_; }
  const OptimizerOptions& options() const { return options_; }
  // Names are "<parameter>.<part>.<tensor>" without indices, so that a run with other groups can resume.
  void visit(StateVisitor& visitor);

 private:
  OptimizerOptions options_;
  ParameterList frozen_in_codes_, layer_state_;
  Grouping grouping_;  // groups of the trainable parameters
  std::vector<UpdateListener*> listeners_;
  Workspace& workspace_;
  std::unique_ptr<UpdateDriver> driver_;
};

}  // namespace galore
