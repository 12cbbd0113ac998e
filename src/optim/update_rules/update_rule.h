// An update rule turns a gradient and its own state into a direction. It never sees the weight, the learning
// rate or the device.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>

#include "core/memory.h"
#include "core/state_visitor.h"
#include "optim/storage/moment.h"

namespace galore {

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  // Returns the direction. `gradient` is fp32, contiguous and of the shape given at construction; it may be
  // overwritten and may be the result. `step` is 1 for the first update of this tensor.
  virtual at::Tensor direction(at::Tensor gradient, int64_t step) = 0;
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

// Returns x turn or turn^T x.
at::Tensor turned_state(const at::Tensor& x, const at::Tensor& turn, bool of_columns);

// --- AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101). The optimizer applies the weight decay, not the
// rule.
struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  // GaLore's code adds epsilon to sqrt(v) before the bias correction. Adam's paper and torch add it after.
  bool epsilon_before_correction = false;
};
void declare_options(OptionTable& table, AdamWOptions& options);
std::unique_ptr<UpdateRule> make_adamw(const AdamWOptions& options, const StorageOptions& storage,
                                       at::IntArrayRef shape, Workspace& workspace);

// --- Adafactor (Shazeer and Stern 2018, arXiv 1804.04235) without relative_step and scale_parameter, as
// GaLore uses it. Matrices keep row and column means of the squared gradient; other tensors keep all of it.
struct AdafactorOptions {
  double beta1 = 0;  // 0: no first moment; -1: no first moment and no option for it
  double decay_rate = -0.8, epsilon = 1e-30, clip_threshold = 1.0;
};
void declare_options(OptionTable& table, AdafactorOptions& options);
std::unique_ptr<UpdateRule> make_adafactor(const AdafactorOptions& options, const StorageOptions& storage,
                                           at::IntArrayRef shape, Workspace& workspace);

// --- SGD with momentum in PyTorch's form: m = momentum m + (1 - dampening) g; the direction is m (or g +
// momentum m).
struct SgdOptions {
  double momentum = 0, dampening = 0;
  bool nesterov = false;
};
void declare_options(OptionTable& table, SgdOptions& options);
std::unique_ptr<UpdateRule> make_sgd(const SgdOptions& options, const StorageOptions& storage,
                                     at::IntArrayRef shape, Workspace& workspace);

// --- RMSProp (Tieleman and Hinton 2012, lecture 6.5): v = beta v + (1 - beta) g^2; the direction is g /
// (sqrt(v) + epsilon), without bias correction, as Fira uses it. PyTorch's defaults are 0.99 and 1e-8.
struct RmsPropOptions {
  double beta = 0.9, epsilon = 1e-6;
};
void declare_options(OptionTable& table, RmsPropOptions& options);
std::unique_ptr<UpdateRule> make_rms_prop(const RmsPropOptions& options, const StorageOptions& storage,
                                          at::IntArrayRef shape, Workspace& workspace);

}  // namespace galore
