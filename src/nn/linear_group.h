// Several linear layers of one input, such as those to queries, keys and values: a matrix for each, or one
// matrix for all. Legend: T tokens.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/layer_builder.h"

namespace galore {

struct LinearGroupSize {
  int64_t inputs;
  std::vector<int64_t> outputs;    // of each part
  std::vector<std::string> names;  // of the matrices inside a layer
  // With a name here one matrix gives all parts. Its outputs are `groups` groups, each of which holds a share
  // of every part: 1 group for parts that lie one after the other, and one for each head in GPT-NeoX.
  std::string fused = "";
  int64_t groups = 1;
  bool bias = false, inputs_first = false;
};

class LinearGroup {
 public:
  virtual ~LinearGroup() = default;
  // Computes the parts (each T x outputs, contiguous) from input (T x inputs).
  virtual void forward(const Pass& pass, const at::Tensor& input,
                       const std::vector<at::Tensor>& parts) const = 0;
  // Computes input_gradient = dL/d(input) from the gradients of the parts.
  virtual void input_gradient(const Pass& pass, const std::vector<at::Tensor>& gradients,
                              const at::Tensor& input_gradient) const = 0;
  virtual void report_gradient(const Pass& pass, const std::vector<at::Tensor>& gradients,
                               const at::Tensor& input) = 0;
  virtual void list(ParameterList& parameters) = 0;
};

std::unique_ptr<LinearGroup> make_linear_group(const Place& place, const LinearGroupSize& size,
                                               const LayerBuilder& builder);

}  // namespace galore
