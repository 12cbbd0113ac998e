#include "core/transfer.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace galore {

Transfer::Transfer(OwnerAnswer& answer) : answer_(&answer) {
  for (const at::Tensor& part : answer.parts) numel_ += part.numel();
}

// Calls visit(bytes of a part, bytes of the run) for each part that the run meets.
template <typename Visit>
void Transfer::visit_parts(int64_t from, const at::Tensor& run, const Visit& visit) const {
  int64_t begin = 0;
  for (const at::Tensor& part : answer_->parts) {
    const int64_t first = std::max(from, begin), end = std::min(from + run.numel(), begin + part.numel());
    if (first < end)
      visit(part.narrow(0, first - begin, end - first), run.narrow(0, first - from, end - first));
    begin += part.numel();
  }
}

void Transfer::give(int64_t node, int64_t from, const at::Tensor& run) const {
  if (answer_)
    return visit_parts(from, run, [](const at::Tensor& part, const at::Tensor& bytes) { bytes.copy_(part); });
  const int64_t count = std::min(run.numel(), numel_ - from);
  const at::Tensor& partial = sum_->partials[static_cast<size_t>(node)];
  if (count > 0) run.narrow(0, 0, count).copy_(partial.view(-1).narrow(0, from, count));
  if (count < run.numel()) run[count].fill_(sum_->reported ? 1 : 0);
}

void Transfer::take(int64_t from, const at::Tensor& run) {
  if (answer_)
    return visit_parts(from, run, [](const at::Tensor& part, const at::Tensor& bytes) { part.copy_(bytes); });
  const int64_t count = std::min(run.numel(), numel_ - from);
  if (count > 0) sum_->total.view(-1).narrow(0, from, count).copy_(run.narrow(0, 0, count));
  if (count < run.numel()) sum_->reported = run[count].item<float>() > 0;
}

}  // namespace galore
