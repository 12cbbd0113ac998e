// Trains in this process, alone or as one of many.
#pragma once

#include <nlohmann/json.hpp>
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

// `options` are those of the command line, which are not resolved yet. The first process reports to `hooks`.
SessionResult train_in_session(TrainOptions& options, OptionTable& table, const RunHooks& hooks = {});

// Returns the fields of a result and its metrics by name.
nlohmann::ordered_json result_json(const TrainResult& result);

}  // namespace galore
