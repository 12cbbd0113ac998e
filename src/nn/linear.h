// y = x W^T + b (or x W + b), with the backward pass in the order that lets a sink update the weight at once.
#pragma once

#include <string>

#include "core/parameter.h"
#include "kernels/matmul.h"
#include "nn/pass.h"

namespace galore {

class Linear {
 public:
  struct Size {
    int64_t inputs, outputs;
    bool bias = false;
    bool inputs_first = false;  // the weight is kept as inputs x outputs, as GPT-2's checkpoints have it
  };
  // Parameters `name`.weight (outputs x inputs unless inputs_first), perhaps in codes, and, if asked for,
  // `name`.bias (outputs).
  Linear(const std::string& name, Size size, const WeightSpace& space);

  // out (T x outputs) = x W^T + b. x: T x inputs.
  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out) const;
  // out += x W^T + b: onto the residual stream.
  void forward_add(const Pass& pass, const at::Tensor& x, const at::Tensor& out) const;
  // x_gradient = or += gradient W. To be called before report(): the sink may change W.
  void input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                      Write write) const;
  // Hands the gradients of weight and bias to their sinks.
  void report(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x);

  void list(ParameterList& parameters);
  const Parameter& weight() const { return weight_; }

 private:
  // x W and x W^T of the matrix as it is kept.
  void times(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const;
  void times_transpose(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const;
  void multiply_by_weight(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const;

  Parameter weight_, bias_;
  bool inputs_first_;
};

}  // namespace galore
