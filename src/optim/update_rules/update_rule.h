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

// x turn, or turn^T x.
at::Tensor turned_state(const at::Tensor& x, const at::Tensor& turn, bool of_columns);

// --- AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), AdamW without its decay, which the optimizer
// does.
struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  // GaLore's code adds epsilon to sqrt(v) before the bias correction; Adam's paper and torch after it.
  bool epsilon_before_correction = false;
};
void declare_options(OptionTable& table, AdamWOptions& options);
std::unique_ptr<UpdateRule> make_adamw(const AdamWOptions& options, const StorageOptions& storage,
                                       at::IntArrayRef shape, Workspace& workspace);

// --- Adafactor (Shazeer and Stern 2018, arXiv 1804.04235) with relative_step and scale_parameter off, as
// GaLore runs it. Matrices keep row and column means of the squared gradient, other tensors all of it.
struct AdafactorOptions {
  double beta1 = 0;  // 0: no first moment; -1: nor is it an option
  double decay_rate = -0.8, epsilon = 1e-30, clip_threshold = 1.0;
};
void declare_options(OptionTable& table, AdafactorOptions& options);
std::unique_ptr<UpdateRule> make_adafactor(const AdafactorOptions& options, const StorageOptions& storage,
                                           at::IntArrayRef shape, Workspace& workspace);

// --- SGD with momentum in PyTorch's form: m = momentum m + (1 - dampening) g, direction m (or g + momentum
// m).
struct SgdOptions {
  double momentum = 0, dampening = 0;
  bool nesterov = false;
};
void declare_options(OptionTable& table, SgdOptions& options);
std::unique_ptr<UpdateRule> make_sgd(const SgdOptions& options, const StorageOptions& storage,
                                     at::IntArrayRef shape, Workspace& workspace);

// --- RMSProp (Tieleman and Hinton 2012, lecture 6.5): v = beta v + (1 - beta) g^2, direction g / (sqrt(v) +
// epsilon), without bias correction, as Fira runs it; PyTorch's defaults are 0.99 and 1e-8.
struct RmsPropOptions {
  double beta = 0.9, epsilon = 1e-6;
};
void declare_options(OptionTable& table, RmsPropOptions& options);
std::unique_ptr<UpdateRule> make_rms_prop(const RmsPropOptions& options, const StorageOptions& storage,
                                          at::IntArrayRef shape, Workspace& workspace);

}  // namespace galore
