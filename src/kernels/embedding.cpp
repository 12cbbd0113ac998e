#include "kernels/embedding.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

void check_rows(const at::Tensor& rows, const at::Tensor& table, const at::Tensor& indices) {
  GALORE_ASSERT(rows.dim() == 2 && table.dim() == 2 && rows.size(1) == table.size(1));
  GALORE_ASSERT(indices.numel() == rows.size(0) && indices.scalar_type() == at::kLong);
  GALORE_ASSERT(rows.is_contiguous() && table.is_contiguous() && indices.is_contiguous());
}

const kernels::Operation<decltype(embedding)> kEmbedding(
    "embedding", {.cpu = kernels::or_composed<kernels::cpu::embedding, reference::embedding>,
                  .composed = reference::embedding});
const kernels::Operation<decltype(add_rows)> kAddRows(
    "add_rows", {.cpu = kernels::or_composed<kernels::cpu::add_rows, reference::add_rows>,
                 .composed = reference::add_rows});

}  // namespace

void embedding(const at::Tensor& out, const at::Tensor& table, const at::Tensor& indices) {
  check_rows(out, table, indices);
  kEmbedding(out, out, table, indices);
}

void add_rows(const at::Tensor& table, const at::Tensor& indices, const at::Tensor& rows) {
  check_rows(rows, table, indices);
  kAddRows(table, table, indices, rows);
}

namespace reference {

void embedding(const at::Tensor& out, const at::Tensor& table, const at::Tensor& indices) {
  out.copy_(table.index_select(0, indices));
}

void add_rows(const at::Tensor& table, const at::Tensor& indices, const at::Tensor& rows) {
  const at::Tensor same = rows.to(table.scalar_type());
  if (table.is_cuda()) {
    // index_add_ adds in any order there. This operation sorts the indices first and keeps the order of equal
    // ones.
    table.index_put_({indices}, same, /*accumulate=*/true);
  } else {
    table.index_add_(0, indices, same);
  }
}

}  // namespace reference
}  // namespace galore
