// Normalization of each token's features, with a weight. The output is not kept for the backward pass but
// computed again: elementwise, and exact to the last bit.
#pragma once

#include <memory>
#include <string>

#include "core/parameter.h"
#include "nn/pass.h"

namespace galore {

enum class NormKind {
  rms,    // without mean and bias (LLaMA and its kin)
  layer,  // with both (GPT-2)
};

class Norm {
 public:
  virtual ~Norm() = default;

  // Where forward() leaves what backward() needs of it, for `tokens` tokens, kept under `name` in fp32.
  virtual at::Tensor statistics(const Pass& pass, const std::string& name, int64_t tokens) const = 0;

  // out and statistics from x (T x features).
  virtual void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                       const at::Tensor& statistics) const = 0;
  // `out` of forward() once more.
  virtual void again(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                     const at::Tensor& statistics) const = 0;
  // x_gradient += dL/dx; reports the gradients of the parameters.
  virtual void backward(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                        const at::Tensor& x, const at::Tensor& statistics) = 0;

  virtual void list(ParameterList& parameters) = 0;
};

struct NormSize {
  int64_t features;
  double epsilon;
  NormKind kind = NormKind::rms;
};

// Parameters `name`.weight (features) and, of a layer norm, `name`.bias.
std::unique_ptr<Norm> make_norm(const std::string& name, const NormSize& size, const WeightSpace& space);

}  // namespace galore
