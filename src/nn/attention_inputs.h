// Computes queries, keys and values from the normalized input, before rotary positions are applied.
#pragma once

#include <memory>
#include <string>

#include "nn/layer_builder.h"

namespace galore {

struct AttentionSize {
  int64_t hidden, heads, key_heads, head_dim;
  bool bias = false;         // for the projections to queries, keys and values
  bool output_bias = false;  // bias of the output projection
  int64_t window = 0;        // positions that a query sees, its own included; 0: no limit
  bool head_norms = false;   // each head of queries and keys is normalized separately (Qwen3)
  double norm_epsilon = 1e-6;
  bool inputs_first = false;  // applies to all matrices
  // The checkpoint's names inside a layer. With `fused`, one matrix of that name gives queries, keys and
  // values (GPT-2).
  std::string query = "self_attn.q_proj", key = "self_attn.k_proj", value = "self_attn.v_proj",
              output = "self_attn.o_proj", fused = "";
  std::string query_norm = "self_attn.q_norm", key_norm = "self_attn.k_norm";
};

// Queries, keys and values, each B x T x heads x D.
struct Projections {
  at::Tensor query, key, value;
};

class AttentionInputs {
 public:
  virtual ~AttentionInputs() = default;
  // Computes `out` from input (T x hidden).
  virtual void forward(const Pass& pass, const at::Tensor& input, const Projections& out) const = 0;
  // Computes input_gradient = dL/d(input).
  virtual void input_gradient(const Pass& pass, const Projections& gradient,
                              const at::Tensor& input_gradient) const = 0;
  virtual void report_gradient(const Pass& pass, const Projections& gradient, const at::Tensor& input) = 0;
  virtual void list(ParameterList& parameters) = 0;
};

std::unique_ptr<AttentionInputs> make_attention_inputs(const Place& place, const AttentionSize& size,
                                                       const LayerBuilder& builder);

// Views B x T x heads x D as a matrix with one row for each token.
inline at::Tensor as_tokens(const at::Tensor& x) {
  return x.view({x.size(0) * x.size(1), x.size(2) * x.size(3)});
}

}  // namespace galore
