// What a run has logged, as the page of charts takes it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/files.h"

namespace galore {

// Points of one curve; y has null where a value was not finite.
struct Curve {
  std::vector<double> x;
  nlohmann::ordered_json y = nlohmann::ordered_json::array();
};

// At most about `most` points: of each stretch of the curve the lowest and the highest, so that a spike
// stays. A curve with fewer is as it was.
Curve thinned(const Curve& curve, size_t most);

// Reads an output folder (metrics.jsonl, else the trainer_state.json of itself or its last checkpoint, which
// other programs write too), or one of these files. Returns
//
//   name, path, configuration {option: text}, memory {owner: bytes, planned_bytes, ...},
//   summary {steps, tokens, seconds, last_loss, best_eval_loss, best_eval_step, tokens_per_second,
//            peak_memory_bytes}, as far as known,
//   axes {step: [], tokens: [], seconds: []},   points of the run, for other axes than the step
//   series {name: {x: [steps], y: []}},
//   subspace {weight: {steps: [], ranks: [], energy: [null: not logged]}}
//
// A line that a running program has not finished is left out; any other that is no event is an Error.
nlohmann::ordered_json read_run(const Path& path);

}  // namespace galore
