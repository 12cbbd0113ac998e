#include "nn/embedding_table.h"

#include <ATen/ATen.h>

#include "kernels/embedding.h"
#include "nn/layer_builder.h"

namespace galore {

StoredTable::StoredTable(const Place& place, const TableSize& size, const LayerBuilder& builder)
    : name_(place.name), frozen_row_(size.frozen_row) {
  define_parameter(rows_, place.as(Role::embedding), "weight", {size.rows, size.features}, builder);
}

void StoredTable::forward(const Pass&, const at::Tensor& indices, const at::Tensor& out) const {
  embedding(out, rows_.value, indices);
}

void StoredTable::report_gradient(const Pass&, const at::Tensor& indices, const at::Tensor& gradient) {
  if (!rows_.sink) return;
  clear_frozen_gradient(frozen_row_, indices, gradient);
  rows_.sink->add_rows(indices, gradient);
  rows_.sink->use_done();
}

void clear_frozen_gradient(std::optional<int64_t> frozen_row, const at::Tensor& indices,
                           const at::Tensor& gradient) {
  if (frozen_row && !indices.is_meta()) gradient.masked_fill_(indices.eq(*frozen_row).unsqueeze(1), 0);
}

}  // namespace galore
