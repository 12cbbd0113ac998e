// A head turns the trunk's hidden states into a loss. Legend: T tokens of the batch, n features.
//
// Heads know hidden states and targets but no trunk, so any trunk can carry any head.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/batch.h"
#include "core/parameter.h"
#include "nn/pass.h"

namespace galore {

// The predictions of a batch, in the order of its targets, on the CPU.
struct Predictions {
  // The logits of each place, N x k in fp32. A language head leaves them undefined, because the matrix of all
  // its logits never exists.
  at::Tensor values;
  // N x 2 in fp64. A value head gives the value and the standard deviation of each place, and a language head
  // with pairs gives the log-probabilities of the preferred and the rejected document.
  at::Tensor readouts;
  // A value head gives the entropy of each place's target and the number that the target means, which is the
  // mean of a distribution, both in fp64. The number is NaN where a place has no target. Pairs have neither.
  at::Tensor entropies, target_values;
  // A head that values actions gives the best action of each place and its value, N x 2.
  at::Tensor actions;
  at::Tensor losses;  // the loss of each place, pair or token (0 where no label counts), in fp64
  // If the caller sets wants_outputs, a score head gives all its outputs (N x k in fp32, on its device, until
  // the next pass) and nothing else.
  bool wants_outputs = false;
  at::Tensor outputs;
};

class Head {
 public:
  virtual ~Head() = default;
  // Computes the losses and hidden_gradient (T x n) = gradient_scale * dL/d(hidden), where L is the sum of
  // the losses. hidden: T x n. Every parameter reports its gradient.
  virtual LossSum train(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                        double gradient_scale, const at::Tensor& hidden_gradient) = 0;
  // Computes the losses without gradients. `out` may be null.
  virtual LossSum evaluate(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                           Predictions* out) const = 0;
  // Lists the parameters that belong only to the head.
  virtual void list(ParameterList& parameters) = 0;
  // Gives the head a copy of its weight (k x n, fp32), which values the next states of transitions
  // (Targets::transitions). The tensor is read in every train(), so its owner may change its numbers.
  virtual void set_target_weight(const at::Tensor& /*weight*/) {}
  // Draws these parameters. The result depends only on the seed, the names and the range.
  virtual void initialize(uint64_t seed, double initializer_range);
};

}  // namespace galore
