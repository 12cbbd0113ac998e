// Looks up rows of a table by index, and sums gradients back into them. Legend: T tokens, n features.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

// Computes out (T x n) = table[indices]; indices (T, int64) must be valid rows of the table. Dtypes may
// differ.
void embedding(const at::Tensor& out, const at::Tensor& table, const at::Tensor& indices);
// Computes table[indices[t]] += rows[t]. For every row of the table the order is that of t, whatever the
// number of threads.
void add_rows(const at::Tensor& table, const at::Tensor& indices, const at::Tensor& rows);

namespace reference {
void embedding(const at::Tensor& out, const at::Tensor& table, const at::Tensor& indices);
void add_rows(const at::Tensor& table, const at::Tensor& indices, const at::Tensor& rows);
}  // namespace reference

}  // namespace galore
