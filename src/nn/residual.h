// The last product of a residual branch, with the dropout between it and the stream.
#pragma once

#include <string>

#include "nn/linear.h"

namespace galore {

// stream (T x hidden) += dropout(linear(x)); the mask belongs to the linear's name.
void add_branch(const Pass& pass, const Linear& linear, const at::Tensor& x, const at::Tensor& stream);
// The gradient of linear(x), given that of the stream: the same tensor without dropout. Free for others when
// the caller returns.
at::Tensor branch_gradient(const Pass& pass, const Linear& linear, const at::Tensor& stream_gradient);

}  // namespace galore
