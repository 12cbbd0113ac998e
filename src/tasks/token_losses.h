// The predictions of tasks whose targets are tokens.
#pragma once

#include "tasks/task.h"

namespace galore {

// Calls `take` with the loss of each row, which is the mean over its tokens that count and null if none does,
// and with the number of these tokens.
void write_token_losses(const Batch& batch, const Predictions& predictions, const TakeRow& take);

}  // namespace galore
