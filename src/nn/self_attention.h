// Self-attention with grouped key and value heads, from normalized input to the residual stream. Models may
// add rotary positions, a sliding window and norms of the heads (nn/attention_size.h).
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "kernels/attention.h"
#include "nn/attention_size.h"
#include "nn/layer_cache.h"
#include "nn/linear_group.h"
#include "nn/norm.h"
#include "nn/rotary_embedding.h"

namespace galore {

// Queries, keys and values, each B x T x heads x D.
struct Projections {
  at::Tensor query, key, value;
};

// RotaryTables without tensors mean that the layer has no rotary positions.
class SelfAttention {
 public:
  SelfAttention(const Place& place, const AttentionSize& size, const LayerBuilder& builder);

  // Adds the attention of `input` (T x hidden) to the stream (T x hidden). Saves queries, keys, values, the
  // output and its statistics.
  void forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
               const at::Tensor& stream);
  // Computes forward() for one sequence with earlier keys and values in `cache`, (p + n) x K x D, and writes
  // its last n = pass.tokens() positions. Saves nothing.
  void forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                      const at::Tensor& stream, const KeysAndValues& cache);

  // Gradients of queries, keys and values, for report_inputs().
  struct InputGradients {
    Scratch query, key, value;
    Projections tensors() const { return {query, key, value}; }
  };
  // Computes input_gradient = dL/d(input) from the gradient of the stream. The output projection and the
  // heads' norms report their gradients.
  InputGradients backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream_gradient,
                          const at::Tensor& input_gradient);
  // Lets the projections to queries, keys and values report their gradients.
  void report_inputs(const Pass& pass, const InputGradients& gradient, const at::Tensor& input);

  void list(ParameterList& parameters);

 private:
  // The heads as the projections leave them, which are saved, and as attention reads them. Without norms of
  // the heads both are the same tensors.
  struct Heads {
    Projections projected;
    std::optional<Scratch> query, key;  // only for heads with norms
    AttentionTensors tensors;
  };
  Projections projected(const Pass& pass) const;
  int64_t norm_features(int64_t heads) const;
  std::pair<at::Tensor, at::Tensor> norm_rows(const Projections& p) const;
  Heads heads_of(const Pass& pass) const;
  InputGradients gradient_buffers(const Pass& pass, const std::string& name) const;
  enum class Statistics { compute, read };
  void normalize(const Pass& pass, const Heads& heads, Statistics statistics);
  void backward_through_norms(const Pass& pass, const Projections& projected, const Projections& normalized,
                              const Projections& gradient);
  void rotate_heads(const Pass& pass, const at::Tensor& query, const at::Tensor& key,
                    const RotaryTables& tables, bool inverse) const;

  AttentionSize size_;
  std::unique_ptr<LinearGroup> inputs_;
  std::unique_ptr<Norm> query_norm_, key_norm_;  // null: no norms
  LinearPointer output_;
  Branch branch_;
};

}  // namespace galore
