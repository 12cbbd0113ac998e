// The feed-forward block of a transformer layer, from normalized input to the residual stream.
#pragma once

#include <memory>
#include <string>

#include "nn/linear.h"

namespace galore {

enum class Activation {
  silu_gated,  // down(silu(gate(x)) * up(x)) (LLaMA)
  gelu,        // c_proj(gelu(c_fc(x))) (GPT-2), the exact one by the error function
  gelu_tanh,   // the same, by its usual approximation
};

struct MlpSize {
  int64_t hidden, intermediate;
  bool bias = false;
  Activation activation = Activation::silu_gated;
};

class Mlp {
 public:
  virtual ~Mlp() = default;
  // stream (T x hidden) += MLP of `input` (T x hidden). Saves what stands before the activation.
  virtual void forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) = 0;
  // Only the part that is saved.
  virtual void forward_inputs(const Pass& pass, const at::Tensor& input) = 0;
  // Given the gradient of the stream: input_gradient = dL/d(input), and the last matrix's report. What was
  // saved is overwritten by its gradient.
  virtual void backward(const Pass& pass, const at::Tensor& stream_gradient,
                        const at::Tensor& input_gradient) = 0;
  virtual void report_inputs(const Pass& pass, const at::Tensor& input) = 0;
  virtual void list(ParameterList& parameters) = 0;
};

std::unique_ptr<Mlp> make_mlp(const std::string& name, const MlpSize& size, const WeightSpace& space);

}  // namespace galore
