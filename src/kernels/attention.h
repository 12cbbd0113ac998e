// Softmax attention with grouped key and value heads, where each position sees one range of the keys of its
// row. Causal attention is the default; key ranges also describe packed documents that are kept apart,
// padding and bidirectional attention. Work is done only for blocks of 64 queries and 64 keys in which a
// query sees a key, so a packed row costs what its documents cost as rows.
//
// Legend: B rows, T positions, H query heads, K key and value heads (H is a multiple of K; query head h reads
// key head h / (H/K)), D features of a head. Scores are scaled by 1/sqrt(D) (Vaswani et al., 2017) unless a
// model has a scale of its own. All tensors are contiguous with positions before heads, as the projections
// leave them; softmax statistics are fp32.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/memory.h"
#include "kernels/dropout.h"

namespace galore {

// The logsumexp of a position that sees no key. The output and all gradients of this position are 0.
inline constexpr float kNoKeysLogsumexp = 0;

// How a score is made of the product of a query and a key.
struct AttentionScores {
  double scale = 0;  // factor of the product; 0: 1/sqrt(D)
  // With a cap c > 0 a scaled score s becomes c tanh(s / c) (Gemma 2, 2024).
  double soft_cap = 0;
};
// Returns the factor of the product for heads of D features.
double score_scale(const AttentionScores& scores, int64_t head_dim);

struct AttentionTensors {
  at::Tensor query;       // B x T x H x D
  at::Tensor key, value;  // B x T x K x D
  at::Tensor out;         // B x T x H x D
  at::Tensor logsumexp;   // B x H x T, fp32: logsumexp of each query's scaled scores
  // A window of W > 0 hides the keys before t + 1 - W from position t (Beltagy et al., "Longformer", 2020). 0
  // means no window.
  int64_t window = 0;
  // Dropout of the weights after the softmax. The weights from query t of head h of row b to the T keys take
  // row ((first_row + b) H + h) T + t of the mask, and each mask row takes whole segments.
  std::optional<DropoutMask> dropout = std::nullopt;
  int64_t first_row = 0;
  // B x T int32 on the CPU: position t sees the keys [first_key, end_key) of its row, limited by the window.
  // Each position needs 0 <= first_key <= end_key <= T, or an Error names it. If both tensors are undefined,
  // position t sees [0, t + 1).
  at::Tensor first_key = {}, end_key = {};
  AttentionScores scores = {};
};

// Writes out and logsumexp.
void attention(const AttentionTensors& tensors, Workspace& workspace);

struct AttentionGradients {
  at::Tensor query, key, value;  // shapes as in AttentionTensors
};

// Overwrites `gradients`, computed from the gradient of `out`.
void attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors, Workspace& workspace);

// Computes causal attention of the last n positions to all p + n keys, for generation. out, query: n x H x D;
// key, value: (p + n) x K x D.
void attention_cached(const at::Tensor& out, const at::Tensor& query, const at::Tensor& key,
                      const at::Tensor& value, int64_t window = 0, const AttentionScores& scores = {});

// Computes attention by operations of the tensor library, for all rows at once. The key ranges may be on any
// device.
namespace reference {
void attention(const AttentionTensors& tensors);
void attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors);
}  // namespace reference

}  // namespace galore
