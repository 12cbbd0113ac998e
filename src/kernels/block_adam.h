// Adam on blocks of neighbours within each row, in one pass; it gives a direction for every element. The last
// block of a row is padded with zeros. Legend: a is the mean of a block, m and v are one number for each
// block, correction as in kernels/adamw.h.
//
//   folded (FOAM, arXiv 2512.07112): r_j = g_j - a;  m, v are averages of a and of the mean of g^2;
//     direction_j = scale correction (m + residual r_j) / (sqrt(v + residual^2 r_j^2) + epsilon)
//   haar (GWT, arXiv 2501.07237): A = sqrt(block) a, the approximation coefficient of an orthonormal Haar
//     transform; m, v are averages of A and A^2;
//     direction_j = scale correction (m / sqrt(block) + g_j - a) / (sqrt(v) + epsilon)
//
// The second form is the inverse transform of m and of all details, each divided by sqrt(v) + epsilon: one
// number divides all details of a block, and together the details are g - a.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/adamw.h"

namespace galore::kernels {

struct BlockAdam {
  AdamStep adam;
  int64_t block = 4;  // a power of two
  float scale = 1;
  float residual = 1;  // used by `folded` only
};

inline int64_t num_blocks(int64_t columns, int64_t block) { return (columns + block - 1) / block; }

// Overwrites gradient (m x n) by the direction; m and v are m x num_blocks(n). All are fp32 and contiguous.
void folded_adam_direction(const BlockAdam& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v);
// Returns the sum of squares of m / (sqrt(v) + epsilon); 0 on the meta device.
double haar_adam_direction(const BlockAdam& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v);

namespace composed {
void folded_adam_direction(const BlockAdam& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v);
double haar_adam_direction(const BlockAdam& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v);
}  // namespace composed

namespace cpu {
struct BlockAdamTask {
  float* gradient;
  float *m, *v;
  int64_t rows, columns;
  double* squares = nullptr;  // sums of squares of the rows
};
void folded_adam_direction(const BlockAdam& step, const BlockAdamTask& task);
double haar_adam_direction(const BlockAdam& step, const BlockAdamTask& task);
}  // namespace cpu

}  // namespace galore::kernels
