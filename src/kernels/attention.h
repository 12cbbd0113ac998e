// Softmax attention with grouped key and value heads, where each position sees one range of the keys of its
// row. Causal attention is the default; key ranges also describe packed documents that are kept apart,
// padding and bidirectional attention. Work is done only for blocks of 64 queries and 64 keys in which a
// query sees a key, so a packed row costs what its documents cost as rows.
//
// Legend: B rows, T positions, H query heads, K key and value heads (H is a multiple of K; query head h reads
// key head h / (H/K)), D features of a head. Scores are scaled by 1/sqrt(D) (Vaswani et al., 2017). All
// tensors are contiguous with positions before heads, as the projections leave them; softmax statistics are
// fp32.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/memory.h"
#include "kernels/dropout.h"

namespace galore {

// The logsumexp of a position that sees no key. Its output and all its gradients are 0.
inline constexpr float kNoKeysLogsumexp = 0;

struct AttentionTensors {
  at::Tensor query;       // B x T x H x D
  at::Tensor key, value;  // B x T x K x D
  at::Tensor out;         // B x T x H x D
  at::Tensor logsumexp;   // B x H x T, fp32: of the scaled scores of each query
  // A window of W > 0 hides the keys before t + 1 - W from position t (Beltagy et al., "Longformer", 2020).
  // 0: none.
  int64_t window = 0;
  // Dropout of the weights, after the softmax. The weights that query t of head h of row b gives to the T
  // keys are row ((first_row + b) H + h) T + t of the mask, where each row takes whole segments.
  std::optional<DropoutMask> dropout = std::nullopt;
  int64_t first_row = 0;
  // B x T int32 on the CPU: position t sees the keys [first_key, end_key) of its row, as far as the window
  // shows them. Each must satisfy 0 <= first_key <= end_key <= T, or an Error names the position. Both
  // undefined: [0, t + 1).
  at::Tensor first_key = {}, end_key = {};
};

// Writes out and logsumexp.
void attention(const AttentionTensors& tensors, Workspace& workspace);

struct AttentionGradients {
  at::Tensor query, key, value;  // shapes as in AttentionTensors
};

// Overwrites `gradients`, given the gradient of `out`.
void attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors, Workspace& workspace);

// Causal attention of the last n positions to all p + n keys, for generation. out, query: n x H x D; key,
// value: (p + n) x K x D.
void attention_cached(const at::Tensor& out, const at::Tensor& query, const at::Tensor& key,
                      const at::Tensor& value, int64_t window = 0);

// The same by operations of the tensor library, for all rows at once. Here the key ranges may be on any
// device.
namespace reference {
void attention(const AttentionTensors& tensors);
void attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors);
}  // namespace reference

}  // namespace galore
