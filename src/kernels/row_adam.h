// One step of Adam with one second moment for each row, in one pass (Adam-mini, arXiv 2406.16793). It
// computes the direction:
//   m = beta1 m + (1 - beta1) g;  v_i = beta2 v_i + (1 - beta2) mean_j g_ij^2
//   direction_i = correction * m_i / (sqrt(v_i) + epsilon)
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/adamw.h"

namespace galore::kernels {

// Overwrites gradient (rows x columns) by the direction; m has the same shape and v has rows numbers. All are
// fp32 and contiguous.
void row_adam_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v);

namespace composed {
void row_adam_direction(const AdamStep& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v);
}
namespace cpu {
struct RowAdamTask {
  float *gradient, *m, *v;
  int64_t rows, columns;
};
void row_adam_direction(const AdamStep& step, const RowAdamTask& task);
}  // namespace cpu

}  // namespace galore::kernels
