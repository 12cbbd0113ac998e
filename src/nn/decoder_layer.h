// One pre-norm transformer layer: stream += attention(norm(stream)); stream += mlp(norm(stream)).
#pragma once

#include <memory>
#include <string>

#include "nn/mlp.h"
#include "nn/norm.h"
#include "nn/self_attention.h"

namespace galore {

// What a checkpoint calls the parts of a layer.
struct DecoderNames {
  const char *attention = "self_attn", *mlp = "mlp", *input_norm = "input_layernorm",
             *middle_norm = "post_attention_layernorm";
};

struct DecoderSize {
  AttentionSize attention;
  MlpSize mlp;
  double norm_epsilon = 1e-6;
  NormKind norm = NormKind::rms;
  DecoderNames names = {};
};

class DecoderLayer {
 public:
  // Parameters under `name`, in transformers' names.
  DecoderLayer(const std::string& name, const DecoderSize& size, const WeightSpace& space);

  // out (T x hidden) from x (T x hidden), which must stay unchanged until backward(). Saves per token: q, k,
  // v, attention output and statistics, the stream between the blocks, gate and up.
  void forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x, const at::Tensor& out);
  // Fills the buffers that backward() reads once more, from the same x: forward() without its last product.
  void recompute(const Pass& pass, const RotaryTables& tables, const at::Tensor& x);
  // `gradient` (T x hidden) is that of out, and becomes that of x. Every parameter reports.
  void backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                const at::Tensor& gradient);
  // In place on the stream of the newest positions of one sequence.
  void forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream,
                      const KeysAndValues& cache);

  void list(ParameterList& parameters);

 private:
  // Everything but the MLP: the stream after attention, and its norm in "layer.normalized".
  void forward_attention(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                         const at::Tensor& middle);
  at::Tensor scratch(const Pass& pass, const char* name) const {
    return pass.scratch(name, {pass.tokens(), size_.attention.hidden});
  }

  DecoderSize size_;
  SelfAttention attention_;
  std::unique_ptr<Mlp> mlp_;
  std::unique_ptr<Norm> input_norm_, middle_norm_;
};

}  // namespace galore
