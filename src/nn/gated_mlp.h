// LLaMA's feed-forward block: adds down(silu(gate(x)) * up(x)) to the residual stream.
#pragma once

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
  MlpSize size_;
  LinearPointer gate_, up_, down_;
};

}  // namespace galore
