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

// The predictions that metrics compare with the targets. A language head leaves them empty: its metrics need
// only the loss, and the matrix of all logits never exists.
struct Predictions {
  at::Tensor values;  // one row for each prediction, fp32 on the CPU
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
};

}  // namespace galore
