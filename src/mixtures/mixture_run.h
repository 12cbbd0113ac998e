// The mixture of a training run: it counts the tokens of each source, and lets a method learn the weights.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/batch.h"
#include "data/mixture_source.h"
#include "mixtures/weight_learner.h"

namespace galore {

class MixtureRun {
 public:
  // Without a method that learns, `probe` may be null. The weights are learned up to the last share
  // `options.freeze` of `max_steps` updates.
  MixtureRun(MixtureSource& mixture, const LearningOptions& options, std::unique_ptr<MixtureProbe> probe,
             int64_t max_steps, uint64_t seed);

  // Call it before the first update of a run that is not resumed.
  void begin() { learn({}); }
  // Returns the number of tokens of each source in these batches.
  std::vector<double> tokens_of(const std::vector<Batch>& batches) const;
  // Call it after each update. `tokens` are those of all batches of the update (tokens_of), and `position` is
  // the place after them.
  void after_update(const std::vector<double>& tokens, const LearningPoint& point,
                    const DataPosition& position);

  // Returns the fields of a log line: "weights", "tokens" and "epochs" of each source, the results of the
  // last measurement, and "seconds", the time spent on measurements since the last call.
  nlohmann::ordered_json take_fields();
  bool learns() const { return learner_ != nullptr; }
  // Returns messages for the user, each once.
  std::vector<std::string> take_messages();
  // Visits the state. After a visitor has changed it, call resume().
  void visit(const VisitNumber& visit);
  void resume();

 private:
  void note_ends(const DataPosition& position);
  void learn(const LearningPoint& point);
  void freeze();

  MixtureSource& mixture_;
  LearningOptions options_;
  std::unique_ptr<MixtureProbe> probe_;
  std::unique_ptr<WeightLearner> learner_;  // null: constant weights
  int64_t last_learning_step_;
  std::vector<std::string> names_, messages_;
  std::vector<double> weights_, tokens_, epochs_, ended_;
  std::vector<double> sum_;  // of the learned weights over all measurements
  double measurements_ = 0, frozen_ = 0;
  double seconds_ = 0;
};

}  // namespace galore
