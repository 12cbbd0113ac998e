#include "nn/indices.h"

#include "core/errors.h"
#include "core/labels.h"

namespace galore {

void check_indices(const at::Tensor& values, int64_t count, const char* what, bool may_ignore) {
  if (values.scalar_type() != at::kLong || values.dim() != 2 || !values.is_cpu()) {
    fail(what, "expected int64 [rows, length] on the CPU, given {} dimensions of {} on {}", values.dim(),
         c10::toString(values.scalar_type()), values.device().str());
  }
  const at::Tensor contiguous = values.contiguous();
  const int64_t* value = contiguous.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < contiguous.numel(); ++i) {
    const bool ignored = may_ignore && value[i] == kIgnoredLabel;
    if (!ignored && (value[i] < 0 || value[i] >= count)) {
      fail(what, "expected numbers from 0 to {}{}, given {} at position {}", count - 1,
           may_ignore ? " or -100" : "", value[i], i);
    }
  }
}

}  // namespace galore
