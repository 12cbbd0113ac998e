// RMS normalization with a weight. Its output is not kept for the backward pass but computed again:
// elementwise, and exact to the last bit.
#pragma once

#include <string>

#include "core/parameter.h"
#include "nn/pass.h"

namespace galore {

class Norm {
 public:
  // Parameter `name`.weight (features).
  Norm(const std::string& name, int64_t features, double epsilon, const WeightSpace& space);

  // out and inverse_rms (T, fp32) from x (T x features).
  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
               const at::Tensor& inverse_rms) const;
  // `out` of forward() once more.
  void again(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
             const at::Tensor& inverse_rms) const;
  // x_gradient += dL/dx; reports the weight's gradient.
  void backward(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                const at::Tensor& x, const at::Tensor& inverse_rms);

  void list(ParameterList& parameters) { parameters.push_back(&weight_); }

 private:
  Parameter weight_;
  double epsilon_;
};

}  // namespace galore
