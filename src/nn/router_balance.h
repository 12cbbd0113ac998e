// The balancing loss of mixtures of experts (Fedus et al., "Switch Transformers", 2021, equations 4 to 6),
// over all routers of a model as in transformers: E sum_e f_e P_e, where f_e is the number of tokens that
// chose expert e and P_e the sum of its probabilities, each divided by the number R of routed tokens, and E
// the number of experts.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace galore {

class RouterBalance {
 public:
  explicit RouterBalance(int64_t experts);

  // Forgets the sums. Call it before a forward pass.
  void begin();
  // Adds one router's results. probabilities: T x E, fp32; counts: tokens that chose each expert, E int64 on
  // the CPU.
  void add(const at::Tensor& probabilities, const at::Tensor& counts);
  double loss() const;
  // The backward pass adds `scale` times the gradient of loss().
  void set_scale(double scale) { scale_ = scale; }
  // Returns scale * dL/dP for one token's probabilities, E fp32; it is equal for all tokens.
  at::Tensor probability_gradient() const;

 private:
  at::Tensor counts_, probabilities_;  // E fp64 on the CPU
  int64_t rows_ = 0;
  double scale_ = 0;
};

}  // namespace galore
