// The fields of a "step" event, each declared once: its name, its value, and the logs that hold it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "report/step_metrics.h"

namespace galore {

struct StepField {
  const char* name;  // in metrics.jsonl and metrics.csv
  const char* tag;   // in TensorBoard, Hugging Face's where it has one; null: not there
  bool is_column;    // of metrics.csv
  // Nothing: this update's event lacks the field. JSON has no infinity: a loss or a norm that is not finite
  // is null.
  std::optional<nlohmann::ordered_json> (*value)(const StepMetrics&);
};

// In the order of metrics.jsonl.
std::span<const StepField> step_fields();
nlohmann::ordered_json event_fields(const StepMetrics& metrics);

}  // namespace galore
