// GPT-2's feed-forward block: c_proj(gelu(c_fc(x))), both matrices kept as inputs x outputs.
#pragma once

#include <string>

#include "nn/mlp.h"

namespace galore {

class PlainMlp : public Mlp {
 public:
  // Parameters `name`.c_fc and c_proj.
  PlainMlp(const std::string& name, const MlpSize& size, const WeightSpace& space);

  void forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) override;
  void forward_inputs(const Pass& pass, const at::Tensor& input) override;
  void backward(const Pass& pass, const at::Tensor& stream_gradient,
                const at::Tensor& input_gradient) override;
  void report_inputs(const Pass& pass, const at::Tensor& input) override;
  void list(ParameterList& parameters) override;

 private:
  at::Tensor inner(const Pass& pass) const;
  at::Tensor activated(const Pass& pass) const;

  MlpSize size_;
  Linear in_, out_;
};

}  // namespace galore
