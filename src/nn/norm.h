// Normalizes each token's features and multiplies them by a weight. The output is not kept for the backward
// pass. It is elementwise, so recomputing it gives the same bits.
#pragma once

#include <memory>
#include <string>

#include "nn/layer_builder.h"
#include "nn/pass.h"

namespace galore {

enum class NormKind {
  rms,           // divides by the root mean square; has no bias (LLaMA and its relatives)
  rms_plus_one,  // rms with 1 + weight as factor, so that weights start at 0 (Gemma)
  layer,         // subtracts the mean, divides by the deviation and has a bias (GPT-2)
  none,          // hands its input on and has no parameters
};

class Norm {
 public:
  virtual ~Norm() = default;

  // Returns the fp32 buffer `name`, in which forward() saves the statistics of `tokens` tokens for
  // backward().
  virtual at::Tensor statistics(const Pass& pass, const std::string& name, int64_t tokens) const = 0;

  // Computes out and statistics from x (T x features).
  virtual void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                       const at::Tensor& statistics) const = 0;
  // Recomputes the output of forward() from the saved statistics.
  virtual void recompute_output(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                                const at::Tensor& statistics) const = 0;
  // Adds dL/dx to x_gradient and reports the gradients of the parameters.
  virtual void backward(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                        const at::Tensor& x, const at::Tensor& statistics) = 0;

  virtual void list(ParameterList& parameters) = 0;
};

struct NormSize {
  int64_t features = 0;
  double epsilon = 1e-6;
  NormKind kind = NormKind::rms;
};

// Returns a norm with the parameters "<place>.weight" (features) and, for a layer norm, "<place>.bias".
std::unique_ptr<Norm> make_norm(const Place& place, const NormSize& size, const LayerBuilder& builder);

}  // namespace galore
