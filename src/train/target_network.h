// A target network: an older copy of the model that values the next states of transitions, so that targets do
// not run after the predictions that they teach (Mnih et al., "Human-level control through deep reinforcement
// learning", Nature 518, 2015).
//
// The copy is of the head alone, which reads the hidden states of the model itself, or of the whole model.
// Every N updates it moves toward the model: copy = (1 - tau) copy + tau model. It holds plain numbers: 8-bit
// codes are decoded, and an average (tau below 1) is kept in fp32, because bf16 would round its small steps
// away.
#pragma once

#include <memory>
#include <vector>

#include "core/batch.h"
#include "core/state_visitor.h"
#include "models/trainable_model.h"
#include "train/target_options.h"

namespace galore {

class TargetNetwork {
 public:
  // Builds the copy on the ledger's device; copy_all() sets it. The model must outlive it.
  TargetNetwork(const TargetOptions& options, TrainableModel& model, const ModelOptions& model_options,
                Ledger& ledger);
  // Sets the copy to the model.
  void copy_all();
  // Adds the copy's outputs to the targets of a batch before it is trained on.
  void prepare(Batch& batch);
  // Call this after update number `update`, counted from 1.
  void after_update(int64_t update);
  // Visits the copy, for checkpoints.
  void visit(StateVisitor& visitor);

 private:
  struct Pair {
    Parameter* own;
    at::Tensor copy;
  };
  void copy_head(TrainableModel& model, Ledger& ledger);
  void copy_model(TrainableModel& model, const ModelOptions& model_options, Ledger& ledger);

  TargetOptions options_;
  std::unique_ptr<TrainableModel> network_;  // null if only the head is copied
  std::vector<Pair> pairs_;
};

// Returns null if the options ask for no target network.
std::unique_ptr<TargetNetwork> make_target_network(const TargetOptions& options, TrainableModel& model,
                                                   const ModelOptions& model_options, Ledger& ledger);

}  // namespace galore
