// The fields of a "step" event. Each is declared once, with its name, its value and the logs that hold it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "report/step_metrics.h"

namespace galore {

struct StepField {
  const char* name;  // name in metrics.jsonl and metrics.csv
  const char* tag;   // tag in TensorBoard (Hugging Face's tag if there is one); null: not in TensorBoard
  bool is_column;    // is a column of metrics.csv
  // Returns nothing if this update's event lacks the field. A loss or a norm that is not finite becomes null,
  // because JSON has no infinity.
  std::optional<nlohmann::ordered_json> (*value)(const StepMetrics&);
};

// Returns the fields in the order of metrics.jsonl.
std::span<const StepField> step_fields();
nlohmann::ordered_json event_fields(const StepMetrics& metrics);

}  // namespace galore
