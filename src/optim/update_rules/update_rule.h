// An update rule turns a gradient and its own state into a direction. It never sees the weight, the learning
// rate or the device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "core/memory.h"
#include "core/state_visitor.h"
#include "kernels/adamw.h"
#include "optim/storage/moment.h"

namespace galore {

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  // Returns the direction. `gradient` is fp32, contiguous and of the shape given at construction; it may be
  // overwritten and may be the result. `step` is 1 for the first update of this tensor.
  virtual at::Tensor direction(at::Tensor gradient, int64_t step) = 0;
  // Returns what direction() would compute, to be computed while it is written to the weight; then
  // direction() is not called, and the gradient stays as it is. Nothing if the rule cannot do that.
  virtual std::optional<kernels::AdamDirection> deferred_direction(const at::Tensor& /*gradient*/,
                                                                   int64_t /*step*/) {
    return std::nullopt;
  }
  virtual void visit(StateVisitor& visitor) = 0;
  // Returns the average of gradients in fp32, or an undefined tensor when the rule keeps none.
  virtual at::Tensor average() { return {}; }
  // Returns the raw average of squared gradients in fp32, valid until the next call of any function;
  // undefined when the rule keeps none.
  virtual at::Tensor variance() { return {}; }
  // Returns the factor in the direction of update `step` that corrects averages which begin at zero: sqrt(1 -
  // beta2^t) / (1 - beta1^t) for Adam, and 1 for rules without a correction.
  virtual double correction(int64_t step) const { return static_cast<void>(step), 1; }
  // Sets all averages to zero. Counts of updates go on.
  virtual void reset() = 0;
  // Rotates the state into new axes after `steps` updates: the state of x becomes the state of x turn
  // (`of_columns`) or of turn^T x.
  virtual void transport(const at::Tensor& turn, bool of_columns, int64_t steps) {
    static_cast<void>(turn), static_cast<void>(of_columns), static_cast<void>(steps);
  }
};

// Returns x turn if `of_columns`, and turn^T x otherwise.
at::Tensor turned_state(const at::Tensor& x, const at::Tensor& turn, bool of_columns);

}  // namespace galore
