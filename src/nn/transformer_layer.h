// A transformer layer: stream += attention(norm(stream)); stream += mlp(norm(stream)). Models may leave these
// norms out or put norms behind the branches (nn/residual.h). In a parallel layer both branches read the same
// stream.
//
// BERT normalizes sums: x = norm(x + attention(x)); x = norm(x + mlp(x)). We see the sum before a norm as the
// stream, so that each norm stands in front of a branch as elsewhere, and the branch is added to the norm's
// output: stream = norm(stream) + attention(norm(stream)). The last norm of one such layer is therefore the
// input norm of the next one, and that of the last layer is the model's final norm.
#pragma once

#include <memory>
#include <string>

#include "nn/mlp.h"
#include "nn/norm.h"
#include "nn/self_attention.h"

namespace galore {

inline constexpr int kNoRotary = -1;

struct LayerSize {
  AttentionSize attention;
  MlpSize mlp;
  double norm_epsilon = 1e-6;
  NormKind norm = NormKind::rms;
  // The checkpoint's names inside a layer; "" means that there is no such norm.
  std::string input_norm = "input_layernorm", middle_norm = "post_attention_layernorm";
  bool parallel = false;  // both branches read the layer's input (GPT-NeoX)
  // Branches are added to the output of their norm (BERT). `input_norm` is then the name of the layer
  // before's last norm, inside that layer; the first layer has none.
  bool adds_to_norm = false;
  int rotary = 0;  // number of the rotary embedding among the model's, or kNoRotary
};

class TransformerLayer {
 public:
  TransformerLayer(const Place& place, const LayerSize& size, const LayerBuilder& builder);

  // Computes out (T x hidden) from x (T x hidden), which must stay unchanged until backward(). Saves per
  // token: queries, keys, values, the attention output and its statistics, the stream between the blocks,
  // and the input of the activation.
  void forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x, const at::Tensor& out);
  // Fills the buffers that backward() reads again from the same x. This is forward() without its last
  // product.
  void recompute(const Pass& pass, const RotaryTables& tables, const at::Tensor& x);
  // Turns `gradient` (T x hidden) from the gradient of the output into the gradient of x. Every parameter
  // reports its gradient.
  void backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                const at::Tensor& gradient);
  // Computes in place on the stream of the newest positions of one sequence.
  void forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream,
                      const KeysAndValues& cache);

  void list(ParameterList& parameters);

 private:
  // Computes the stream after attention, and its norm, which is the input of the MLP.
  void forward_attention(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                         const at::Tensor& middle, const at::Tensor& normalized);
  // Returns the input of the second norm.
  const at::Tensor& second_input(const at::Tensor& x, const at::Tensor& middle) const {
    return size_.parallel ? x : middle;
  }
  // Adds the way through a norm to the stream's gradient. With adds_to_norm the stream's gradient is at first
  // that of the norm's output too.
  void backward_norm(const Pass& pass, Norm& norm, const at::Tensor& normalized_gradient,
                     const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& statistics) const;
  // Compute the gradient of a branch's normalized input from the gradient of the stream.
  void backward_mlp(const Pass& pass, const at::Tensor& second, const at::Tensor& gradient,
                    const at::Tensor& normalized_gradient);
  void backward_attention(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                          const at::Tensor& gradient, const at::Tensor& normalized_gradient);

  LayerSize size_;
  SelfAttention attention_;
  std::unique_ptr<Mlp> mlp_;
  std::unique_ptr<Norm> input_norm_, middle_norm_;
};

// Leases the buffer of normalized hidden states, which layers and the model use one after the other.
inline Scratch normalized_buffer(const Pass& pass, int64_t hidden) {
  return pass.scratch("layer.normalized", {pass.tokens(), hidden});
}
// Leases the buffer for the gradient of normalized hidden states.
inline Scratch normalized_gradient_buffer(const Pass& pass, int64_t hidden) {
  return pass.scratch("layer.normalized_gradient", {pass.tokens(), hidden});
}

}  // namespace galore
