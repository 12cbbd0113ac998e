// Checks row numbers of a table before a kernel reads them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace galore {

// Throws an Error about `what` unless `values` is int64 [rows, length] on the CPU with numbers from 0 to
// count - 1. With may_ignore, kIgnoredLabel is valid, too.
void check_indices(const at::Tensor& values, int64_t count, const char* what, bool may_ignore);

}  // namespace galore
