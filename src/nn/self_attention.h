// Causal self-attention with rotary positions and grouped key and value heads, from normalized input to the
// residual stream.
#pragma once

#include <string>

#include "kernels/attention.h"
#include "nn/linear.h"
#include "nn/rotary_embedding.h"

namespace galore {

struct AttentionSize {
  int64_t hidden, heads, key_heads, head_dim;
  bool bias = false;
};

// Of one sequence under generation: positions x K x D.
struct KeysAndValues {
  at::Tensor key, value;
};

class SelfAttention {
 public:
  // Parameters `name`.q_proj, k_proj, v_proj and o_proj.
  SelfAttention(const std::string& name, const AttentionSize& size, const WeightSpace& space);

  // stream (T x hidden) += attention of `input` (T x hidden). Saves q, k, v, the output and its statistics.
  void forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
               const at::Tensor& stream);
  // As forward, for one sequence whose earlier keys and values are given. keys, values: (p + n) x K x D; the
  // last n = pass.tokens() positions are written here. Saves nothing.
  void forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                      const at::Tensor& stream, const KeysAndValues& cache);
  // Given the gradient of the stream: input_gradient = dL/d(input), and o_proj's report. The reports of q, k
  // and v need the input and follow in report_inputs().
  void backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream_gradient,
                const at::Tensor& input_gradient);
  void report_inputs(const Pass& pass, const at::Tensor& input);

  void list(ParameterList& parameters);

 private:
  AttentionTensors saved(const Pass& pass) const;
  AttentionGradients gradients(const Pass& pass) const;
  void project_and_rotate(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                          const AttentionTensors& tensors);

  AttentionSize size_;
  Linear query_, key_, value_, output_;
};

}  // namespace galore
