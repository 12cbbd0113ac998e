// From normalized input to queries, keys and values, before rotary positions.
#pragma once

#include <memory>
#include <string>

#include "nn/linear.h"

namespace galore {

struct AttentionSize {
  int64_t hidden, heads, key_heads, head_dim;
  bool bias = false;         // of the projections to queries, keys and values
  bool output_bias = false;  // of the one behind them
  int64_t window = 0;        // positions that a query sees, its own included; 0: all before it
  bool head_norms = false;   // queries and keys are normalized, each head by itself (Qwen3)
  double norm_epsilon = 1e-6;
  bool fused = false;  // GPT-2: one matrix for all three, kept as inputs x outputs
};

// B x T x heads x D each.
struct Projections {
  at::Tensor query, key, value;
};

class AttentionInputs {
 public:
  virtual ~AttentionInputs() = default;
  // `out` from input (T x hidden).
  virtual void forward(const Pass& pass, const at::Tensor& input, const Projections& out) const = 0;
  // input_gradient = dL/d(input).
  virtual void input_gradient(const Pass& pass, const Projections& gradient,
                              const at::Tensor& input_gradient) const = 0;
  virtual void report(const Pass& pass, const Projections& gradient, const at::Tensor& input) = 0;
  virtual void list(ParameterList& parameters) = 0;
};

// Parameters `name`.q_proj, k_proj and v_proj; fused: `name`.c_attn.
std::unique_ptr<AttentionInputs> make_attention_inputs(const std::string& name, const AttentionSize& size,
                                                       const WeightSpace& space);

// B x T x heads x D as a matrix of tokens.
inline at::Tensor as_tokens(const at::Tensor& x) {
  return x.view({x.size(0) * x.size(1), x.size(2) * x.size(3)});
}

}  // namespace galore
