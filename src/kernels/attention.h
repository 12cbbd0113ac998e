// Causal softmax attention with grouped key and value heads. Legend: B rows, T positions, H query heads, K
// key and value heads (H a multiple of K: query head h reads key head h / (H/K)), D features of a head.
//
// Scores are scaled by 1/sqrt(D) (Vaswani et al., 2017). All tensors are contiguous with positions before
// heads, as the projections leave them; softmax statistics are fp32.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/memory.h"
#include "kernels/dropout.h"

namespace galore {

// A window W hides all but the query's own position and the W - 1 before it (Beltagy et al., "Longformer",
// 2020); blocks out of every window cost nothing.
struct AttentionTensors {
  at::Tensor query;       // B x T x H x D
  at::Tensor key, value;  // B x T x K x D
  at::Tensor out;         // B x T x H x D
  at::Tensor logsumexp;   // B x H x T, fp32: of the scaled scores of each query
  int64_t window = 0;     // 0: none
  // Of the weights, after the softmax. Query t of head h of row b has the segments of its keys from
  // ((first_row + b) H + h) T + t times those of T keys on.
  std::optional<DropoutMask> dropout = std::nullopt;
  int64_t first_row = 0;
};

// Writes out and logsumexp.
void attention(const AttentionTensors& tensors, Workspace& workspace);

struct AttentionGradients {
  at::Tensor query, key, value;  // shapes as in AttentionTensors
};

// Overwrites `gradients`, given the gradient of `out`.
void attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors, Workspace& workspace);

// For generation: the queries of the last n positions against all p + n keys. out, query: n x H x D; key,
// value: (p + n) x K x D.
void attention_cached(const at::Tensor& out, const at::Tensor& query, const at::Tensor& key,
                      const at::Tensor& value, int64_t window = 0);

namespace reference {
void attention(const AttentionTensors& tensors);
void attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors);
}  // namespace reference

}  // namespace galore
