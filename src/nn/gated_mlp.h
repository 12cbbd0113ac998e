// LLaMA's feed-forward block: down(silu(gate(x)) * up(x)), onto the residual stream.
#pragma once

#include <string>

#include "nn/linear.h"

namespace galore {

struct MlpSize {
  int64_t hidden, intermediate;
  bool bias = false;
};

class GatedMlp {
 public:
  // Parameters `name`.gate_proj, up_proj and down_proj.
  GatedMlp(const std::string& name, const MlpSize& size, const WeightSpace& space);

  // stream (T x hidden) += MLP of `input` (T x hidden). Saves gate and up; not their product.
  void forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream);
  // Only the part that is saved: gate and up.
  void forward_inputs(const Pass& pass, const at::Tensor& input);
  // Given the gradient of the stream: input_gradient = dL/d(input), and down_proj's report. The saved gate
  // and up are overwritten by their gradients.
  void backward(const Pass& pass, const at::Tensor& stream_gradient, const at::Tensor& input_gradient);
  void report_inputs(const Pass& pass, const at::Tensor& input);

  void list(ParameterList& parameters);

 private:
  MlpSize size_;
  Linear gate_, up_, down_;
};

}  // namespace galore
