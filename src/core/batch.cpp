#include "core/batch.h"

#include <ATen/ATen.h>

#include "core/labels.h"

namespace galore {

Targets next_token_targets(const at::Tensor& labels) {
  const int64_t length = labels.size(1);
  Targets targets{at::empty_like(labels, at::MemoryFormat::Contiguous), 0};
  if (labels.is_meta()) return targets;
  targets.labels.narrow(1, 0, length - 1).copy_(labels.narrow(1, 1, length - 1));
  targets.labels.narrow(1, length - 1, 1).fill_(kIgnoredLabel);
  targets.count = targets.labels.ne(kIgnoredLabel).sum().item<int64_t>();
  return targets;
}

Batch next_token_batch(const at::Tensor& ids, const at::Tensor& labels) {
  Batch batch;
  batch.ids = ids;
  batch.targets = next_token_targets(labels);
  return batch;
}

}  // namespace galore
