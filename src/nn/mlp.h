// The feed-forward block of a transformer layer, from normalized input to the residual stream.
#pragma once

#include <memory>
#include <string>

#include "nn/layer_builder.h"

namespace galore {

enum class Activation {
  silu_gated,  // down(silu(gate(x)) * up(x)) (LLaMA)
  gelu,        // down(gelu(up(x))), exact, by the error function
  gelu_tanh,   // down(gelu(up(x))) with the usual approximation of GELU by tanh (GPT-2)
};

struct MlpSize {
  int64_t hidden, intermediate;
  bool bias = false;
  Activation activation = Activation::silu_gated;
  bool inputs_first = false;  // applies to all matrices
  // The checkpoint's names inside a layer; without a gate `gate` is not used.
  std::string gate = "mlp.gate_proj", up = "mlp.up_proj", down = "mlp.down_proj";
};

class Mlp {
 public:
  virtual ~Mlp() = default;
  // Adds the MLP of `input` (T x hidden) to the stream (T x hidden). Saves the input of the activation.
  virtual void forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) = 0;
  // Computes only the saved tensors of forward().
  virtual void forward_inputs(const Pass& pass, const at::Tensor& input) = 0;
  // Computes input_gradient = dL/d(input) from the gradient of the stream. The last matrix reports its
  // gradient. The saved buffers are overwritten by their gradients.
  virtual void backward(const Pass& pass, const at::Tensor& stream_gradient,
                        const at::Tensor& input_gradient) = 0;
  // Lets the first matrices report their gradients. Call it after backward(), which does not need `input`.
  virtual void report_inputs(const Pass& pass, const at::Tensor& input) = 0;
  virtual void list(ParameterList& parameters) = 0;
};

std::unique_ptr<Mlp> make_mlp(const Place& place, const MlpSize& size, const LayerBuilder& builder);

}  // namespace galore
