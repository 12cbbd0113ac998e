#include "train/reference_scores.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "kernels/device.h"
#include "train/run_builder.h"

namespace galore {
namespace {

constexpr size_t kRowsAtOnce = 4;

ModelSource reference_model(const ReferenceSource& source) {
  ModelSource model = source.model;
  model.adapter.clear();
  model.adapter_name_or_path.clear();
  if (source.options.ref_model.empty()) return model;
  model.model_name_or_path = source.options.ref_model;
  model.model_size.clear();
  model.config_name.clear();
  return model;
}

RunObjects load_reference(const ReferenceSource& source) {
  const ModelSource from = reference_model(source);
  ModelOptions options = model_options(from, source.device);
  options.loss = preference_loss(source.options);
  RunObjects run = build_model(model_config_of(from), options, device_of(source.device));
  set_weights(*run.model, from, source.seed);
  return run;
}

void score_rows(TrainableModel& model, const Task& task, std::vector<ExampleRow>& rows) {
  for (size_t first = 0; first < rows.size(); first += kRowsAtOnce) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = begin + static_cast<std::ptrdiff_t>(std::min(kRowsAtOnce, rows.size() - first));
    Predictions predictions;
    model.evaluate(build_batch({begin, end}, {}, task.make_targets({})), &predictions);
    const double* score = predictions.readouts.const_data_ptr<double>();
    for (auto row = begin; row != end; ++row, score += 2) row->values = {score[0], score[1]};
  }
}

}  // namespace

FillRows reference_scores(const ReferenceSource& source) {
  return [source, reference = std::make_shared<std::optional<RunObjects>>()](std::vector<ExampleRow>& rows) {
    if (!*reference) reference->emplace(load_reference(source));
    if (source.messages) source.messages(fmt::format("the reference model scores {} pairs", rows.size()));
    score_rows(*(*reference)->model, source.task, rows);
  };
}

}  // namespace galore
