// Measures a model on the rows of a mixture's sources.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/collective.h"
#include "data/mixture_source.h"
#include "mixtures/gradient_probe.h"
#include "mixtures/learning_options.h"
#include "mixtures/mixture_probe.h"

namespace galore {

// The batches of a measurement. Those of the memory plan have no data.
class ProbeRows {
 public:
  virtual ~ProbeRows() = default;
  virtual size_t num_sources() const = 0;
  // Returns rows of one source. A negative step means the rows that losses() compares.
  virtual Batch of_source(size_t source, int64_t step) = 0;
  virtual Batch of_target(int64_t step) = 0;
};

// Draws the rows from a mixture. Rows of a source are random rows of its training data. The target's rows are
// the next rows of the training, or come from the sources by the weights of the target.
class DrawnRows : public ProbeRows {
 public:
  // `target` are the weights of target_weights(); empty: the next rows.
  DrawnRows(MixtureSource& mixture, std::vector<double> target, int64_t rows, uint64_t seed)
      : mixture_(mixture), target_(std::move(target)), rows_(rows), seed_(seed) {}
  size_t num_sources() const override { return mixture_.size(); }
  Batch of_source(size_t source, int64_t step) override;
  Batch of_target(int64_t step) override;

 private:
  MixtureSource& mixture_;
  std::vector<double> target_;
  int64_t rows_;
  uint64_t seed_;
};

class ModelProbe : public MixtureProbe {
 public:
  // The directional form changes the weights of the model for the time of a measurement, so it needs weights
  // in fp32 that are not quantized: others are a UsageError. Several processes take turns with the sources,
  // and all of them get the same measurements.
  ModelProbe(TrainableModel& model, std::unique_ptr<ProbeRows> rows, const LearningOptions& options,
             const SubspaceOf& subspace_of, Workspace& workspace, Collective& collective = single_process());

  Alignment alignment(int64_t step) override;
  GradientGram gram(int64_t step) override;
  std::vector<double> losses() override { return losses_at(/*step=*/-1); }

 private:
  std::vector<double> losses_at(int64_t step);
  Alignment by_products(int64_t step);
  Alignment by_difference(int64_t step);
  double loss_of(size_t source, int64_t step);
  // Returns `measure(source)` of all sources, which are `width` numbers each.
  template <typename Measure>
  std::vector<double> of_all_sources(size_t width, const Measure& measure);
  // Sets the trainable weights to their copy plus `distance` times the direction.
  void move(double distance);
  void draw_dropout(int64_t step);

  TrainableModel& model_;
  std::unique_ptr<ProbeRows> rows_;
  LearningOptions options_;
  Workspace& workspace_;
  Collective& collective_;
  GradientProbe gradients_;
};

// Runs one measurement of a method, so that a ledger of the meta device counts its memory.
void plan_measurement(MixtureProbe& probe, const LearningOptions& options);

}  // namespace galore
