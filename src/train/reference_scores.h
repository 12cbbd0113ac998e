// Scores of a reference model, with which a preference loss compares the trained model.
#pragma once

#include <string>

#include "data/batch_source.h"
#include "train/inputs.h"
#include "train/train_options.h"

namespace galore {

struct ReferenceSource {
  const ModelSource& model;
  const TaskOptions& options;  // with ref_model
  std::string device;
  int64_t seed;
  const Task& task;
  DataMessages messages;
};

// Returns a function that sets the numbers of each example: the log-probabilities that the reference gives
// the preferred and the rejected document. The reference is ref_model or, without it, the model as it is read
// or drawn at the start of a run, without its adapter. It is loaded when the function first runs and freed
// with the function, which should end before training begins. A resumed run computes the same scores. What
// `source` refers to must outlive the function.
FillRows reference_scores(const ReferenceSource& source);

}  // namespace galore
