// Rows of a table by index, and the sum of gradients back into them. Legend: T tokens, n features.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

// out (T x n) = table[indices]; indices (T, int64) must lie in the table. Dtypes may differ.
void embedding(const at::Tensor& out, const at::Tensor& table, const at::Tensor& indices);
// table[indices[t]] += rows[t], in the order of t for every row of the table whatever the number of threads.
void add_rows(const at::Tensor& table, const at::Tensor& indices, const at::Tensor& rows);

namespace reference {
void embedding(const at::Tensor& out, const at::Tensor& table, const at::Tensor& indices);
void add_rows(const at::Tensor& table, const at::Tensor& indices, const at::Tensor& rows);
}  // namespace reference

}  // namespace galore
