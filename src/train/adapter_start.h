// First values of an adapter that depend on the data.
#pragma once

#include "models/trainable_model.h"

namespace galore {

// Returns true if some layers of the model's adapter want their first values from a batch.
bool starts_from_data(const TrainableModel& model);
// Runs one forward and backward pass and lets these layers set their first values from it. The model's
// weights are set, and no parameter has a sink.
void start_from_batch(TrainableModel& model, const Batch& batch);

}  // namespace galore
