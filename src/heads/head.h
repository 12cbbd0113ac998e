// A head turns the trunk's hidden states into a loss. Legend: T tokens of the batch, n features.
//
// Heads know hidden states and targets, and no trunk: any trunk can carry any head.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/batch.h"
#include "core/parameter.h"
#include "nn/pass.h"

namespace galore {

// What metrics compare with the targets. A language head leaves it empty: its metrics need only the loss, and
// the matrix of all logits never exists.
struct Predictions {
  at::Tensor values;  // one row for each prediction, fp32 on the CPU
};

class Head {
 public:
  virtual ~Head() = default;
  // hidden: T x n. hidden_gradient (T x n) = gradient_scale * dL/d(hidden), with L the sum of the losses.
  // Every parameter reports its gradient.
  virtual LossSum train(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                        double gradient_scale, const at::Tensor& hidden_gradient) = 0;
  // Without gradients. `out` may be null.
  virtual LossSum evaluate(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                           Predictions* out) const = 0;
  // The parameters that belong to the head alone.
  virtual void list(ParameterList& parameters) = 0;
};

}  // namespace galore
