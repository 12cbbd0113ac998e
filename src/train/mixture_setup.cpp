#include "train/mixture_setup.h"

#include "mixtures/model_probe.h"

namespace galore {
namespace {

// The rows of a measurement without data.
class PlannedRows : public ProbeRows {
 public:
  PlannedRows(int64_t num_sources, Batch rows) : num_sources_(num_sources), rows_(std::move(rows)) {}
  size_t num_sources() const override { return static_cast<size_t>(num_sources_); }
  Batch of_source(size_t /*source*/, int64_t /*step*/) override { return rows_; }
  Batch of_target(int64_t /*step*/) override { return rows_; }

 private:
  int64_t num_sources_;
  Batch rows_;
};

std::unique_ptr<ModelProbe> make_probe(const RunObjects& run, std::unique_ptr<ProbeRows> rows,
                                       const LearningOptions& options,
                                       Collective& collective = single_process()) {
  const auto subspace_of = [optimizer = run.optimizer.get()](const Parameter& parameter) {
    return optimizer->subspace_of(parameter);
  };
  return std::make_unique<ModelProbe>(*run.model, std::move(rows), options, subspace_of, *run.workspace,
                                      collective);
}

}  // namespace

int64_t measured_rows_of(const DataOptions& data, int64_t num_sources) {
  return measured_rows(parse_learning(data.mixture_learning, data.mixture_args), num_sources,
                       data.per_device_train_batch_size * data.gradient_accumulation_steps,
                       data.per_device_train_batch_size);
}

std::unique_ptr<MixtureRun> make_mixture_run(const TrainOptions& options, BatchSource& train_data,
                                             const RunObjects& run, int64_t max_steps,
                                             Collective& collective) {
  MixtureSource* mixture = train_data.mixture();
  if (!mixture) return nullptr;
  const auto seed = static_cast<uint64_t>(options.data_seed);
  const LearningOptions learning = parse_learning(options.mixture_learning, options.mixture_args);
  std::unique_ptr<MixtureProbe> probe;
  if (learning.learns()) {
    std::vector<std::string> names;
    for (size_t k = 0; k < mixture->size(); ++k) names.push_back(mixture->name(k));
    auto rows = std::make_unique<DrawnRows>(*mixture, target_weights(learning.target, names),
                                            measured_rows_of(options, std::ssize(names)), seed);
    probe = make_probe(run, std::move(rows), learning, collective);
  }
  return std::make_unique<MixtureRun>(*mixture, learning, std::move(probe), max_steps, seed);
}

void plan_mixture(const RunObjects& run, const Workload& workload, const Batch& rows) {
  const auto probe =
      make_probe(run, std::make_unique<PlannedRows>(workload.num_sources, rows), workload.learning);
  plan_measurement(*probe, workload.learning);
}

}  // namespace galore
