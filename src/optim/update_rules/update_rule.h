// An update rule turns a gradient and its own state into a direction. It never sees the weight, the learning
// rate or the device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "core/memory.h"
#include "core/state_visitor.h"
#include "optim/storage/moment.h"

namespace galore {

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  // `gradient`: fp32, contiguous, of the shape given at construction; it may be overwritten, and the result
  // may be it. `step`: 1 for the first update of this tensor.
  virtual at::Tensor direction(at::Tensor gradient, int64_t step) = 0;
  virtual void visit(StateVisitor& visitor) = 0;
  // The average of gradients, in fp32, or undefined where the rule keeps none.
  virtual at::Tensor average() { return {}; }
  // The raw average of squared gradients, in fp32, until the next call of any kind; undefined where the rule
  // keeps none.
  virtual at::Tensor variance() { return {}; }
  // What the direction of update `step` holds because averages begin at zero: Adam's
  // sqrt(1 - beta2^t) / (1 - beta1^t), 1 where a rule has no such correction.
  virtual double correction(int64_t step) const { return static_cast<void>(step), 1; }
  // All averages become zero. What counts updates goes on.
  virtual void reset() = 0;
  // After `steps` updates the axes have turned: state of x becomes state of x turn (`of_columns`) or of
  // turn^T x.
  virtual void transport(const at::Tensor& turn, bool of_columns, int64_t steps) {
    static_cast<void>(turn), static_cast<void>(of_columns), static_cast<void>(steps);
  }
};

// x turn (`of_columns`) or turn^T x.
at::Tensor turned_state(const at::Tensor& x, const at::Tensor& turn, bool of_columns);

}  // namespace galore
