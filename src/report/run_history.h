// Reads the log of a run for the page of charts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files.h"
#include "report/charts.h"

namespace galore {

// The points of one curve. y is null where the value was not finite.
struct Curve {
  std::vector<double> x;
  nlohmann::ordered_json y = nlohmann::ordered_json::array();
};

// Returns a curve of about `most` points at most. It keeps the lowest and the highest point of each stretch,
// so that spikes stay visible. A shorter curve stays as it is.
Curve thinned(const Curve& curve, size_t most);

// Reads an output folder or one of its files. In a folder it reads metrics.jsonl or, if there is none, the
// trainer_state.json of the folder or of its last checkpoint, which other programs write, too. Returns
//
//   name, path, configuration {option: text}, memory {owner: bytes, planned_bytes, ...},
//   summary {steps, tokens, seconds, last_loss, best_eval_loss, best_eval_step, tokens_per_second,
//            peak_memory_bytes}, as far as known,
//   axes {step: [], tokens: [], seconds: []},   points of the run, for other axes than the step
//   series {name: {x: [steps], y: []}},        the series that `charts` draw
//   subspace {weight: {steps: [], ranks: [], energy: [null: not logged]}}
//
// The weights of a mixture's sources are series, too (weight_series()).
//
// An unfinished last line of a running program is left out. Any other line that is not an event is an Error.
nlohmann::ordered_json read_run(const Path& path, const std::vector<ChartSpec>& charts);

// Returns the names of the sources of the mixtures in these runs, each once, in the order of the logs.
std::vector<std::string> mixture_sources(const std::vector<std::string>& runs);

}  // namespace galore
