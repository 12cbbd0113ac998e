// Cross entropy of a chunk of tokens and its gradient, in one pass over the logits. Legend: c tokens of the
// chunk, V vocabulary.
//
// The caller goes through the tokens in chunks, so the matrix of all logits never exists.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/labels.h"

namespace galore {

// losses (c, fp64): negative log likelihood of each label, 0 where ignored. logits (c x V, fp32 or bf16, the
// arithmetic is fp32) become gradient_scale * dL/dlogits. labels: c, int64, on the same device, checked
// before.
void cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                   double gradient_scale);
// Losses only; logits stay.
void cross_entropy_loss(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels);

namespace reference {
void cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                   double gradient_scale);
void cross_entropy_loss(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels);
}  // namespace reference

}  // namespace galore
