// A feed-forward block with a gate: adds down(f(gate(x)) * up(x)) to the residual stream. f is silu in LLaMA
// (SwiGLU) and GELU in Gemma.
#pragma once

#include "kernels/activation.h"
#include "nn/linear_group.h"
#include "nn/mlp.h"

namespace galore {

class GatedMlp : public Mlp {
 public:
  GatedMlp(const Place& place, const MlpSize& size, const LayerBuilder& builder);

  // Saves the outputs of gate and up, but not their product.
  void forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) override;
  void forward_inputs(const Pass& pass, const at::Tensor& input) override;
  void backward(const Pass& pass, const at::Tensor& stream_gradient,
                const at::Tensor& input_gradient) override;
  void report_inputs(const Pass& pass, const at::Tensor& input) override;
  void list(ParameterList& parameters) override;

 private:
  // Returns the saved outputs of gate and up, or their gradients.
  std::vector<at::Tensor> saved(const Pass& pass) const;
  void run_inputs(const Pass& pass, const at::Tensor& input) const;
  Scratch product(const Pass& pass) const;

  MlpSize size_;
  const Activation* activation_;
  bool silu_;  // has a kernel of its own
  std::unique_ptr<LinearGroup> inputs_;
  LinearPointer down_;
  Branch branch_;
};

}  // namespace galore
