// y = x W^T + b (or x W + b) with one matrix, stored as a tensor or as group codes.
#pragma once

#include <string>

#include "nn/layer_builder.h"
#include "nn/linear_layer.h"

namespace galore {

class DenseLinear : public LinearLayer {
 public:
  // Has the parameters "<place>.weight" (outputs x inputs unless inputs_first) and, if asked for,
  // "<place>.bias" (outputs).
  DenseLinear(const Place& place, const LinearSize& size, const LayerBuilder& builder);

  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const override;
  void input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                      Write write) const override;
  void report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) override;
  void list(ParameterList& parameters) override;
  at::Tensor merged_weight() const override;
  const std::string& name() const override { return name_; }

 private:
  // times() computes x W and the next function x W^T, with the matrix as it is stored.
  void times(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const;
  void times_transpose(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const;

  std::string name_;
  bool inputs_first_;
  Parameter weight_, bias_;  // bias_ has no value if there is no bias
  // True after report_gradient() until the next forward(), because the weight may have changed.
  mutable bool reported_ = false;
};

}  // namespace galore
