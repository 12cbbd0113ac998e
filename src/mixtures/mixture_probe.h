// Measurements of a model on the sources of a mixture, by which the weights are learned. Legend: K sources.
#pragma once

#include <cstdint>
#include <vector>

namespace galore {

// The inner products of the sources' gradients with the gradient of the target.
struct Alignment {
  std::vector<double> rewards;  // K
  // K, if both kinds of products were asked for: inside the subspaces. Otherwise empty.
  std::vector<double> projected = {};
};

// The inner products of the gradients of all sources.
struct GradientGram {
  std::vector<std::vector<double>> products;  // K x K
  std::vector<double> with_target;            // K; empty without a target
  double target_norm = 0;
};

// All gradients are those of the mean loss of a target token, at the present weights of the model. The rows
// that a measurement sees depend on the step and the seed alone.
class MixtureProbe {
 public:
  virtual ~MixtureProbe() = default;
  virtual Alignment alignment(int64_t step) = 0;
  virtual GradientGram gram(int64_t step) = 0;
  // Returns the mean loss of each source, over the same rows in every call.
  virtual std::vector<double> losses() = 0;
};

}  // namespace galore
