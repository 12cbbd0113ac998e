// A linear layer y = f(x), usually y = x W^T + b. The order of its backward pass lets an optimizer update the
// weight in the middle of it. Legend: T tokens.
//
// Models name places and never say which layer stands there; a LayerBuilder decides that
// (nn/layer_builder.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/parameter.h"
#include "core/state_editor.h"
#include "kernels/matmul.h"
#include "nn/pass.h"

namespace galore {

struct LinearSize {
  int64_t inputs, outputs;
  bool bias = false;
  bool inputs_first = false;  // the weight is stored as inputs x outputs, as in GPT-2's checkpoints
  bool in_chunks = false;     // a backward pass reports chunks of tokens (Pass::more_follows)
};

class LinearLayer : public UpdateListener {
 public:
  // Computes out (T x outputs) = f(x), or adds f(x) to it. x: T x inputs.
  virtual void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const = 0;
  // Computes x_gradient (T x inputs) from the gradient of the output (T x outputs), or adds to it. Call it
  // before report_gradient(), after which the weight may have changed.
  virtual void input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                              Write write) const = 0;
  // Hands the gradients of the layer's parameters to their sinks. It is the last call of a backward pass.
  virtual void report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) = 0;

  virtual void list(ParameterList& parameters) = 0;
  // Returns the weight that a plain model directory holds for this place, as it is stored there. It is the
  // layer's own tensor or a new one, and it holds everything that the layer multiplies its input with.
  virtual at::Tensor merged_weight() const = 0;
  // Returns the name of the layer's place. It is the key of the layer's random streams for dropout.
  virtual const std::string& name() const = 0;

  // A layer that merges, draws anew, prunes or grows its parameters does so here. It must be the listener of
  // one of the parameters that it lists; a layer that does nothing needs not to be.
  void after_update(int64_t /*update*/, StateEditor& /*state*/) override {}
};

using LinearPointer = std::unique_ptr<LinearLayer>;

// Tells the parameter's sink that a use has reported its whole gradient, unless other chunks follow.
inline void finish_report(const Pass& pass, const Parameter& parameter) {
  if (!pass.more_follows) parameter.sink->use_done();
}

}  // namespace galore
