// LLaMA's feed-forward block: down(silu(gate(x)) * up(x)), onto the residual stream.
#pragma once

#include <string>

#include "nn/mlp.h"

namespace galore {

class GatedMlp : public Mlp {
 public:
  // Parameters `name`.gate_proj, up_proj and down_proj.
  GatedMlp(const std::string& name, const MlpSize& size, const WeightSpace& space);

  // Saves gate and up; not their product.
  void forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) override;
  void forward_inputs(const Pass& pass, const at::Tensor& input) override;
  void backward(const Pass& pass, const at::Tensor& stream_gradient,
                const at::Tensor& input_gradient) override;
  void report_inputs(const Pass& pass, const at::Tensor& input) override;
  void list(ParameterList& parameters) override;

 private:
  MlpSize size_;
  Linear gate_, up_, down_;
};

}  // namespace galore
