#include "nn/token_embedding.h"

#include <ATen/ATen.h>

#include <array>

#include "core/errors.h"
#include "nn/indices.h"

namespace galore {

TokenEmbedding::TokenEmbedding(const Place& tokens, const Place& positions, const EmbeddingSize& size,
                               const LayerBuilder& builder)
    : size_(size),
      tokens_(
          builder.embedding(tokens.as(Role::embedding), {size.vocabulary, size.features, size.frozen_row})) {
  if (size.positions > 0)
    positions_ = builder.embedding(positions.as(Role::embedding), {size.positions, size.features});
}

void TokenEmbedding::list(ParameterList& parameters) {
  tokens_->list(parameters);
  if (has_positions()) positions_->list(parameters);
}

void TokenEmbedding::clear_frozen_row() {
  const at::Tensor& rows = table().value;
  const int64_t row = size_.frozen_row.value_or(-1);
  if (row >= 0 && row < size_.vocabulary && !rows.is_meta()) rows[row].zero_();
}

at::Tensor TokenEmbedding::token_buffer(const Pass& pass, const at::Tensor& ids) const {
  if (!ids.is_meta()) check_indices(ids, size_.vocabulary, "input_ids", /*may_ignore=*/false);
  const at::Tensor tokens = pass.workspace.get(Owner::workspace, "ids", {pass.tokens()}, at::kLong);
  if (!tokens.is_meta()) tokens.view(ids.sizes()).copy_(ids);
  return tokens;
}

void TokenEmbedding::check_length(int64_t length) const {
  if (has_positions() && length > size_.positions)
    fail("input_ids", "{} tokens in a row: the model has positions for {} (max_position_embeddings)", length,
         size_.positions);
}

at::Tensor TokenEmbedding::position_buffer(const Pass& pass, int64_t first) const {
  const at::Tensor buffer = pass.workspace.get(Owner::workspace, "positions", {pass.tokens()}, at::kLong);
  if (buffer.is_meta()) return buffer;
  const at::Tensor rows = buffer.view({pass.rows, pass.length});
  if (pass.where.positions.defined()) {
    check_indices(pass.where.positions, size_.positions, "positions", /*may_ignore=*/false);
    rows.copy_(pass.where.positions);
  } else {
    rows.copy_(at::arange(first, first + pass.length, buffer.options()).expand({pass.rows, pass.length}));
  }
  return buffer;
}

void TokenEmbedding::forward(const Pass& pass, const at::Tensor& tokens, int64_t first,
                             const at::Tensor& out) const {
  if (!pass.where.positions.defined()) check_length(first + pass.length);
  tokens_->forward(pass, tokens, out);
  if (size_.multiplier != 1) out.mul_(size_.multiplier);
  if (has_positions()) {
    const Scratch rows = pass.scratch("layer.normalized", out.sizes());
    positions_->forward(pass, position_buffer(pass, first), rows);
    if (!out.is_meta()) out.add_(rows);
  }
  drop(pass, out);
}

void TokenEmbedding::drop(const Pass& pass, const at::Tensor& x) const {
  if (!pass.dropout || pass.dropout->embedding == 0) return;
  const at::Tensor rows = x.view({pass.rows, x.numel() / pass.rows});
  dropout(rows, rows, pass.dropout->mask(pass.dropout->embedding, tokens_->name() + ".weight"),
          pass.dropout->place.first_row, Write::replace);
}

void TokenEmbedding::backward(const Pass& pass, const at::Tensor& tokens, const at::Tensor& gradient) {
  drop(pass, gradient);
  if (has_positions()) positions_->report_gradient(pass, position_buffer(pass, 0), gradient);
  if (size_.multiplier != 1) gradient.mul_(size_.multiplier);
  tokens_->report_gradient(pass, tokens, gradient);
}

}  // namespace galore
