#include "mixtures/weight_learner.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/errors.h"

namespace galore {

std::unique_ptr<WeightLearner> make_learner(const LearningOptions& options, std::vector<double> weights,
                                            uint64_t seed) {
  if (options.method == "gar") return make_gar(options, std::move(weights));
  if (options.method == "doge") return make_doge(options, std::move(weights));
  if (options.method == "aioli") return make_aioli(options, std::move(weights), seed);
  return nullptr;
}

std::vector<double> logarithms(const std::vector<double>& weights) {
  std::vector<double> logits;
  for (const double weight : weights) logits.push_back(std::log(weight));
  return logits;
}

std::vector<double> softmax(const std::vector<double>& logits, double spread) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  GALORE_ASSERT(std::isfinite(largest));
  std::vector<double> weights;
  double sum = 0, count = 0;
  for (const double logit : logits) {
    weights.push_back(std::exp(logit - largest));
    sum += weights.back();
    count += std::isfinite(logit);
  }
  for (size_t k = 0; k < weights.size(); ++k)
    if (std::isfinite(logits[k])) weights[k] = (1 - spread) * weights[k] / sum + spread / count;
  return weights;
}

void visit_all(const VisitNumber& visit, const std::string& name, std::vector<double>& numbers) {
  for (size_t i = 0; i < numbers.size(); ++i) visit(name + std::to_string(i), numbers[i]);
}

nlohmann::ordered_json by_name(const std::vector<std::string>& names, const std::vector<double>& numbers) {
  nlohmann::ordered_json fields = nlohmann::ordered_json::object();
  for (size_t k = 0; k < numbers.size(); ++k) fields[names[k]] = numbers[k];
  return fields;
}

}  // namespace galore
