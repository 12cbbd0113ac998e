// Block-diagonal orthogonal matrices behind a random permutation, for POET (arXiv 2506.08001, 2603.05500).
// Legend: k blocks of size b, d = k b; Q skew-symmetric, b x b; Phi the permutation, (Phi x)_i = x_order(i).
//
//   R = Phi^T diag(G_1, ..., G_k) Phi,   G = (I + Q) (I + Q + ... + Q^t) = I + 2 Q + ... + 2 Q^t + Q^(t+1)
//
// The series is the Cayley transform (I + Q) (I - Q)^-1 with the inverse cut after t terms (Cayley-Neumann).
// Q is stored by the elements above its diagonal, b (b - 1) / 2 of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/random.h"

namespace galore {

// Returns the largest divisor of `size` up to `most`.
int64_t block_size_of(int64_t size, int64_t most);

// Returns Q (k x b x b) from its elements above the diagonal (k x b (b - 1) / 2), row by row.
at::Tensor skew_symmetric(const at::Tensor& elements, int64_t block_size);
// Returns G (k x b x b) for the series with `terms` terms.
at::Tensor rotations(const at::Tensor& skew, int64_t terms);
// Returns the gradient by the elements above the diagonal, from the gradient by G.
at::Tensor gradient_by_elements(const at::Tensor& skew, const at::Tensor& of_rotations, int64_t terms);

// Returns a random order of 0..size-1 as int64.
at::Tensor random_order(int64_t size, RandomStream stream);

// Computes out (T x d) = rows (T x d) R^T, or rows R if `back`. `blocks` are G in the dtype of the rows;
// `ordered` and `turned` are buffers of the rows' sizes.
struct TurnBuffers {
  const at::Tensor &ordered, &turned;
};
void turn_rows(const at::Tensor& out, const at::Tensor& rows, const at::Tensor& blocks,
               const at::Tensor& order, bool back, const TurnBuffers& buffers, bool accumulate = false);
// Returns rows R^T, or rows R if `back`, as a new tensor.
at::Tensor turned_rows(const at::Tensor& rows, const at::Tensor& blocks, const at::Tensor& order, bool back);
// Returns the gradient by G (k x b x b, fp32) of y = rows R^T, from the gradient of y. `left` and `right` are
// buffers of the sizes of rows.
at::Tensor gradient_by_blocks(const at::Tensor& of_output, const at::Tensor& rows, int64_t block_size,
                              const at::Tensor& order, const TurnBuffers& buffers);

}  // namespace galore
