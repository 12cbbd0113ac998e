#include "nn/token_embedding.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "core/errors.h"
#include "nn/indices.h"

namespace galore {
namespace {

void add_rows_of(const Pass& pass, const EmbeddingTable& table, const at::Tensor& indices,
                 const at::Tensor& out) {
  const Scratch rows = pass.scratch("layer.normalized", out.sizes());
  table.forward(pass, indices, rows);
  if (!out.is_meta()) out.add_(rows);
}

}  // namespace

TokenEmbedding::TokenEmbedding(const EmbeddingPlaces& places, const EmbeddingSize& size,
                               const LayerBuilder& builder)
    : size_(size),
      tokens_(builder.embedding(places.tokens.as(Role::embedding),
                                {size.vocabulary, size.features, size.frozen_row})) {
  const auto table = [&](const Place& place, int64_t rows, std::optional<int64_t> frozen_row) {
    return rows > 0 ? builder.embedding(place.as(Role::embedding), {rows, size.features, frozen_row})
                    : nullptr;
  };
  positions_ = table(places.positions, size.positions, size.padding_id);
  types_ = table(places.types, size.types, std::nullopt);
  norm_ = make_norm(places.norm, size.norm, builder);
}

void TokenEmbedding::list(ParameterList& parameters) {
  for (const TablePointer* table : {&tokens_, &positions_, &types_})
    if (*table) (*table)->list(parameters);
  norm_->list(parameters);
}

void TokenEmbedding::clear_frozen_row() {
  const auto clear = [](const at::Tensor& rows, int64_t row) {
    if (row >= 0 && row < rows.size(0) && !rows.is_meta()) rows[row].zero_();
  };
  clear(table().value, size_.frozen_row.value_or(-1));
  if (size_.padding_id && has_positions()) clear(positions_->stored().value, *size_.padding_id);
}

at::Tensor TokenEmbedding::token_buffer(const Pass& pass, const at::Tensor& ids) const {
  if (!ids.is_meta()) check_indices(ids, size_.vocabulary, "input_ids", /*may_ignore=*/false);
  const at::Tensor tokens = pass.workspace.get(Owner::workspace, "ids", {pass.tokens()}, at::kLong);
  if (!tokens.is_meta()) tokens.view(ids.sizes()).copy_(ids);
  return tokens;
}

void TokenEmbedding::check_length(int64_t length) const {
  const int64_t positions = size_.positions - (size_.padding_id ? *size_.padding_id + 1 : 0);
  if (has_positions() && length > positions)
    fail("input_ids", "{} tokens in a row: the model has positions for {} (max_position_embeddings)", length,
         positions);
}

at::Tensor TokenEmbedding::position_buffer(const Pass& pass, const at::Tensor& tokens, int64_t first) const {
  const at::Tensor buffer = pass.workspace.get(Owner::workspace, "positions", {pass.tokens()}, at::kLong);
  if (buffer.is_meta()) return buffer;
  const at::Tensor rows = buffer.view({pass.rows, pass.length});
  const int64_t skipped = size_.padding_id ? *size_.padding_id + 1 : 0;
  if (pass.where.positions.defined()) {
    check_indices(pass.where.positions, size_.positions - skipped, "positions", /*may_ignore=*/false);
    rows.copy_(pass.where.positions);
    rows.add_(skipped);
  } else if (size_.padding_id) {
    const at::Tensor counts = tokens.view(rows.sizes()).ne(*size_.padding_id).to(at::kLong);
    rows.copy_(counts.cumsum(1).mul_(counts).add_(*size_.padding_id));
  } else {
    rows.copy_(at::arange(first, first + pass.length, buffer.options()).expand({pass.rows, pass.length}));
  }
  return buffer;
}

at::Tensor TokenEmbedding::type_buffer(const Pass& pass) const {
  const at::Tensor buffer = pass.workspace.get(Owner::workspace, "token_types", {pass.tokens()}, at::kLong);
  const at::Tensor& given = pass.where.token_types;
  if (buffer.is_meta()) return buffer;
  if (!given.defined()) return buffer.zero_();
  check_indices(given, size_.types, "token_type_ids", /*may_ignore=*/false);
  buffer.view(given.sizes()).copy_(given);
  return buffer;
}

at::Tensor TokenEmbedding::saved_sum(const Pass& pass) const {
  return pass.saved("embedding.sum", {pass.tokens(), size_.features});
}

at::Tensor TokenEmbedding::norm_statistics(const Pass& pass) const {
  return norm_->statistics(pass, "embedding.statistics", pass.tokens());
}

void TokenEmbedding::sum_rows(const Pass& pass, const at::Tensor& tokens, int64_t first,
                              const at::Tensor& out) const {
  tokens_->forward(pass, tokens, out);
  add_noise(pass, out);
  if (size_.multiplier != 1) out.mul_(size_.multiplier);
  if (has_positions()) add_rows_of(pass, *positions_, position_buffer(pass, tokens, first), out);
  if (types_) add_rows_of(pass, *types_, type_buffer(pass), out);
}

void TokenEmbedding::forward(const Pass& pass, const at::Tensor& tokens, int64_t first,
                             const at::Tensor& out) const {
  if (!pass.where.positions.defined()) check_length(first + pass.length);
  if (has_norm()) {
    const at::Tensor sum = saved_sum(pass);
    sum_rows(pass, tokens, first, sum);
    norm_->forward(pass, sum, out, norm_statistics(pass));
  } else {
    sum_rows(pass, tokens, first, out);
  }
  drop(pass, out);
}

// The noise of a row depends on its number in the update, so it does not change with the micro-batches.
void TokenEmbedding::add_noise(const Pass& pass, const at::Tensor& x) const {
  if (!pass.dropout || pass.dropout->noise_alpha == 0 || x.is_meta()) return;
  const Dropout& d = *pass.dropout;
  const int64_t row_size = x.numel() / pass.rows;
  const double reach = d.noise_alpha / std::sqrt(static_cast<double>(row_size));
  const at::Tensor noise = at::empty({row_size}, at::kFloat), rows = x.view({pass.rows, row_size});
  for (int64_t row = 0; row < pass.rows; ++row) {
    RandomStream random(d.place.seed, "neftune", std::to_string(d.place.first_row + row),
                        static_cast<uint64_t>(d.place.update));
    float* values = noise.mutable_data_ptr<float>();
    for (int64_t i = 0; i < row_size; ++i) values[i] = static_cast<float>(reach * (2 * random.uniform() - 1));
    rows[row].add_(noise.to(x.device(), x.scalar_type()));
  }
}

void TokenEmbedding::drop(const Pass& pass, const at::Tensor& x) const {
  if (!pass.dropout || pass.dropout->embedding == 0) return;
  const at::Tensor rows = x.view({pass.rows, x.numel() / pass.rows});
  dropout(rows, rows, pass.dropout->mask(pass.dropout->embedding, tokens_->name() + ".weight"),
          pass.dropout->place.first_row, Write::replace);
}

// A frozen row gets no gradient. In the tables of tokens and of positions it belongs to the same tokens.
void TokenEmbedding::report_rows(const Pass& pass, const at::Tensor& tokens, const at::Tensor& gradient) {
  if (types_) types_->report_gradient(pass, type_buffer(pass), gradient);
  if (has_positions()) positions_->report_gradient(pass, position_buffer(pass, tokens, 0), gradient);
  if (size_.multiplier != 1) gradient.mul_(size_.multiplier);
  tokens_->report_gradient(pass, tokens, gradient);
}

void TokenEmbedding::backward(const Pass& pass, const at::Tensor& tokens, const at::Tensor& gradient) {
  drop(pass, gradient);
  if (!has_norm()) return report_rows(pass, tokens, gradient);
  const Scratch below = pass.scratch("embedding.gradient", gradient.sizes());
  below->zero_();
  norm_->backward(pass, gradient, below, saved_sum(pass), norm_statistics(pass));
  report_rows(pass, tokens, below);
}

}  // namespace galore
