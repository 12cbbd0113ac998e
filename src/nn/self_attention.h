// Causal self-attention with grouped key and value heads, rotary positions, a sliding window and norms of the
// heads where a model has them; from normalized input to the residual stream.
#pragma once

#include <memory>
#include <string>

#include "kernels/attention.h"
#include "nn/attention_inputs.h"
#include "nn/layer_cache.h"
#include "nn/norm.h"
#include "nn/rotary_embedding.h"

namespace galore {

// Everywhere here, tables without tensors mean: no rotary positions.
class SelfAttention {
 public:
  // Parameters `name`.q_proj, k_proj, v_proj and o_proj, and q_norm and k_norm; fused: c_attn and c_proj.
  SelfAttention(const std::string& name, const AttentionSize& size, const WeightSpace& space);

  // stream (T x hidden) += attention of `input` (T x hidden). Saves q, k, v, the output and its statistics.
  void forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
               const at::Tensor& stream);
  // As forward, for one sequence whose earlier keys and values are given. keys, values: (p + n) x K x D; the
  // last n = pass.tokens() positions are written here. Saves nothing.
  void forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                      const at::Tensor& stream, const KeysAndValues& cache);
  // Given the gradient of the stream: input_gradient = dL/d(input), and the reports of the projection behind
  // and of the heads' norms. Those of q, k and v need the input and follow in report_inputs().
  void backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream_gradient,
                const at::Tensor& input_gradient);
  void report_inputs(const Pass& pass, const at::Tensor& input);

  void list(ParameterList& parameters);

 private:
  // What the projections give, saved; with norms of the heads, attention reads other tensors.
  Projections projected(const Pass& pass) const;
  AttentionTensors attention_tensors(const Pass& pass) const;
  Projections gradients(const Pass& pass, const std::string& name) const;
  // A head's norm from `from` to `to`; computed before: from the statistics that are there.
  void normalize(const Pass& pass, const Projections& from, const AttentionTensors& to, bool computed_before);
  void rotate_heads(const Projections& heads, const RotaryTables& tables, bool inverse) const;

  AttentionSize size_;
  std::unique_ptr<AttentionInputs> inputs_;
  std::unique_ptr<Norm> query_norm_, key_norm_;  // null: none
  Linear output_;
};

}  // namespace galore
