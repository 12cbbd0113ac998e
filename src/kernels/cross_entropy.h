// Cross entropy of a chunk of tokens and its gradient, in one pass over the logits. Legend: c tokens of the
// chunk, V vocabulary.
//
// The caller processes the tokens in chunks, so the matrix of all logits never exists.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/labels.h"

namespace galore {

// losses (c, fp64) is the negative log likelihood of each label, 0 for ignored labels. logits (c x V, fp32 or
// bf16, with fp32 arithmetic) become gradient_scale * dL/dlogits. labels are c, int64, on the same device,
// and already checked.
void cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                   double gradient_scale);
// Computes only the losses; the logits stay.
void cross_entropy_loss(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels);

namespace reference {
void cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                   double gradient_scale);
void cross_entropy_loss(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels);
}  // namespace reference

}  // namespace galore
