#include "kernels/cross_entropy.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

void check_losses(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels) {
  GALORE_ASSERT(logits.dim() == 2 && logits.is_contiguous());
  GALORE_ASSERT(losses.numel() == logits.size(0) && losses.scalar_type() == at::kDouble);
  GALORE_ASSERT(labels.numel() == logits.size(0) && labels.scalar_type() == at::kLong);
  GALORE_ASSERT(labels.is_contiguous() && losses.is_contiguous());
}

bool loss_and_gradient(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                       double gradient_scale) {
  return kernels::cpu::cross_entropy(losses, logits, labels, &gradient_scale);
}

bool loss_alone(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels) {
  return kernels::cpu::cross_entropy(losses, logits, labels, nullptr);
}

const kernels::Operation<decltype(cross_entropy)> kCrossEntropy(
    "cross_entropy", {.cpu = kernels::or_composed<loss_and_gradient, reference::cross_entropy>,
                      .composed = reference::cross_entropy});
const kernels::Operation<decltype(cross_entropy_loss)> kCrossEntropyLoss(
    "cross_entropy_loss", {.cpu = kernels::or_composed<loss_alone, reference::cross_entropy_loss>,
                           .composed = reference::cross_entropy_loss});

}  // namespace

void cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                   double gradient_scale) {
  check_losses(losses, logits, labels);
  kCrossEntropy(logits, losses, logits, labels, gradient_scale);
}

void cross_entropy_loss(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels) {
  check_losses(losses, logits, labels);
  kCrossEntropyLoss(logits, losses, logits, labels);
}

namespace reference {

void cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                   double gradient_scale) {
  reference::cross_entropy_loss(losses, logits, labels);
  const at::Tensor counted = labels.ne(kIgnoredLabel).unsqueeze(1);
  const at::Tensor index = labels.clamp_min(0).unsqueeze(1);
  at::Tensor gradient = logits.to(at::kFloat).softmax(1);
  gradient.scatter_add_(1, index, at::full({index.size(0), 1}, -1, gradient.options()));
  logits.copy_((gradient * gradient_scale).masked_fill(counted.logical_not(), 0));
}

void cross_entropy_loss(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor index = labels.clamp_min(0).unsqueeze(1);
  const at::Tensor likelihood = logits.to(at::kFloat).log_softmax(1).gather(1, index).squeeze(1);
  losses.copy_((-likelihood).masked_fill(labels.eq(kIgnoredLabel), 0));
}

}  // namespace reference
}  // namespace galore
