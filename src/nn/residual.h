// A residual branch: the way of a linear layer's result to the stream. Models may put a norm behind the layer
// (OLMo 2, Gemma 2), a multiplier (Granite) or dropout (GPT-2). Legend: T tokens.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "nn/linear_layer.h"
#include "nn/norm.h"

namespace galore {

struct BranchSize {
  std::string norm = "";  // name of the norm inside a layer; "": none
  NormSize norm_size = {};
  double multiplier = 1;
  bool drops = true;  // false: the model has no dropout here
};

// The gradient of the linear layer's output. It is the stream's own gradient unless something stands between.
struct BranchGradient {
  at::Tensor tensor;
  std::optional<Scratch> buffer;
};

class Branch {
 public:
  // `place` is the layer's.
  Branch(const Place& place, const BranchSize& size, const LayerBuilder& builder);

  // Adds the branch of linear(x) to the stream (T x hidden). The mask of dropout is keyed by the linear
  // layer's name. A norm's input is saved.
  void add(const Pass& pass, const LinearLayer& linear, const at::Tensor& x, const at::Tensor& stream);
  // Fills the buffers of add() that output_gradient() reads, if needs_recomputation().
  void recompute(const Pass& pass, const LinearLayer& linear, const at::Tensor& x);
  bool needs_recomputation() const { return norm_ != nullptr; }
  // Returns the gradient of linear(x) from the gradient of the stream. The norm reports its gradient.
  BranchGradient output_gradient(const Pass& pass, const LinearLayer& linear,
                                 const at::Tensor& stream_gradient);
  // Lists the norm's parameters.
  void list(ParameterList& parameters);

 private:
  bool is_plain(const Pass& pass) const;
  bool drops(const Pass& pass) const;
  at::Tensor output(const Pass& pass, at::IntArrayRef shape) const;
  at::Tensor statistics(const Pass& pass, int64_t tokens) const;
  // Computes linear(x), or its norm.
  void compute(const Pass& pass, const LinearLayer& linear, const at::Tensor& x, const at::Tensor& out);

  BranchSize size_;
  std::unique_ptr<Norm> norm_;  // or null
};

}  // namespace galore
