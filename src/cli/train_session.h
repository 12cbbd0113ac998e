// Trains in this process, alone or as one of many.
#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "core/options.h"
#include "train/trainer.h"

namespace galore {

struct SessionResult {
  TrainResult train;
  bool is_first = true;  // whether this process prints the result
};

// `options` are those of the command line, which are not resolved yet.
SessionResult train_in_session(TrainOptions& options, OptionTable& table);

}  // namespace galore
