// The feed-forward block of a transformer layer, from normalized input to the residual stream.
#pragma once

#include <memory>
#include <string>

#include "nn/layer_builder.h"
#include "nn/residual.h"

namespace galore {

// The experts of a mixture, each of which has the MLP's sizes.
struct ExpertsSize {
  int64_t count = 0;        // 0: no mixture
  int64_t per_token = 1;    // experts that a token chooses
  bool normalized = false;  // the chosen probabilities are divided by their sum
  std::string router = "mlp.gate", list = "mlp.experts";
};

struct MlpSize {
  int64_t hidden, intermediate;
  bool bias = false;
  std::string activation = "silu";  // a name of kernels/activation.h
  bool gated = true;                // down(f(gate(x)) * up(x)) (LLaMA), or down(f(up(x))) (GPT-2)
  bool inputs_first = false;        // applies to all matrices
  // The checkpoint's names inside a layer; without a gate `gate` is not used. With `fused`, one matrix of
  // that name gives the outputs of gate and up, one after the other (Phi-3).
  std::string gate = "mlp.gate_proj", up = "mlp.up_proj", down = "mlp.down_proj", fused = "";
  BranchSize branch = {};
  ExpertsSize experts = {};
};

class Mlp {
 public:
  virtual ~Mlp() = default;
  // Adds the MLP of `input` (T x hidden) to the stream (T x hidden). Saves the input of the activation.
  virtual void forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) = 0;
  // Computes only the tensors of forward() that backward() reads.
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
