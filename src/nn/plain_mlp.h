// A feed-forward block without a gate: down(f(up(x))), where f is GELU in GPT-2 and BERT.
#pragma once

#include "kernels/activation.h"
#include "nn/mlp.h"

namespace galore {

class PlainMlp : public Mlp {
 public:
  PlainMlp(const Place& place, const MlpSize& size, const LayerBuilder& builder);

  void forward(const Pass& pass, const at::Tensor& input, const at::Tensor& stream) override;
  void forward_inputs(const Pass& pass, const at::Tensor& input) override;
  void backward(const Pass& pass, const at::Tensor& stream_gradient,
                const at::Tensor& input_gradient) override;
  void report_inputs(const Pass& pass, const at::Tensor& input) override;
  void list(ParameterList& parameters) override;

 private:
  at::Tensor inner(const Pass& pass) const;
  Scratch activated(const Pass& pass) const;

  MlpSize size_;
  const Activation* activation_;
  LinearPointer up_, down_;
  Branch branch_;
};

}  // namespace galore
