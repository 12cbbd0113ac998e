// Learns the weights of a mixture during training. A method is one file and one row of the table in
// weight_learner.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "mixtures/learning_options.h"
#include "mixtures/mixture_probe.h"

namespace galore {

struct LearningPoint {
  int64_t step = 0;          // number of finished updates
  double learning_rate = 0;  // of the last update
};

// Visits a number of the state; names are unique within a learner.
using VisitNumber = std::function<void(const std::string& name, double& number)>;

class WeightLearner {
 public:
  virtual ~WeightLearner() = default;
  // Called before the first update, with step 0, and after each update. Returns true if it has measured. If
  // the probe throws, the state stays as it is.
  virtual bool advance(const LearningPoint& point, MixtureProbe& probe) = 0;
  // Returns the weights by which rows are drawn from now on. They sum to 1.
  virtual std::vector<double> sampling() const = 0;
  // Returns the weights that have been learned so far.
  virtual std::vector<double> learned() const { return sampling(); }
  virtual void visit(const VisitNumber& visit) = 0;
  // Adds the results of the last measurement to a log line, by the names of the sources.
  virtual void describe(nlohmann::ordered_json& fields, const std::vector<std::string>& names) const = 0;
};

// `weights` are the first ones. A source with the weight 0 keeps it. Returns null for the method "none".
std::unique_ptr<WeightLearner> make_learner(const LearningOptions& options, std::vector<double> weights,
                                            uint64_t seed);

// The methods.
std::unique_ptr<WeightLearner> make_gar(const LearningOptions& options, std::vector<double> weights);
std::unique_ptr<WeightLearner> make_doge(const LearningOptions& options, std::vector<double> weights);
std::unique_ptr<WeightLearner> make_aioli(const LearningOptions& options, std::vector<double> weights,
                                          uint64_t seed);

// Logarithms of weights up to a common term. A weight of 0 has the logarithm -infinity, and keeps it.
std::vector<double> logarithms(const std::vector<double>& weights);
// Returns (1 - spread) softmax(logits) + spread / K, over the K sources with a finite logit.
std::vector<double> softmax(const std::vector<double>& logits, double spread);
// Visits the numbers under "name0", "name1" and so on.
void visit_all(const VisitNumber& visit, const std::string& name, std::vector<double>& numbers);
// Returns {name: number}.
nlohmann::ordered_json by_name(const std::vector<std::string>& names, const std::vector<double>& numbers);

}  // namespace galore
