#include "nn/token_embedding.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "core/errors.h"
#include "kernels/embedding.h"
#include "nn/indices.h"

namespace galore {

TokenEmbedding::TokenEmbedding(const Place& tokens, const Place& positions, const EmbeddingSize& size,
                               const LayerBuilder& builder)
    : size_(size) {
  define_parameter(tokens_, tokens.as(Role::embedding), "weight", {size.vocabulary, size.features}, builder);
  if (size.positions > 0)
    define_parameter(positions_, positions.as(Role::embedding), "weight", {size.positions, size.features},
                     builder);
}

void TokenEmbedding::list(ParameterList& parameters) {
  parameters.push_back(&tokens_);
  if (has_positions()) parameters.push_back(&positions_);
}

void TokenEmbedding::clear_frozen_row() {
  const int64_t row = size_.frozen_row.value_or(-1);
  if (row >= 0 && row < size_.vocabulary && !tokens_.value.is_meta()) tokens_.value[row].zero_();
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
  embedding(out, tokens_.value, tokens);
  add_noise(pass, out);
  if (size_.multiplier != 1) out.mul_(size_.multiplier);
  if (has_positions()) {
    const Scratch rows = pass.scratch("layer.normalized", out.sizes());
    embedding(rows, positions_.value, position_buffer(pass, first));
    if (!out.is_meta()) out.add_(rows);
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
  dropout(rows, rows, pass.dropout->mask(pass.dropout->embedding, tokens_.name),
          pass.dropout->place.first_row, Write::replace);
}

void TokenEmbedding::backward(const Pass& pass, const at::Tensor& tokens, const at::Tensor& gradient) {
  drop(pass, gradient);
  if (positions_.sink) {
    positions_.sink->add_rows(position_buffer(pass, 0), gradient);
    positions_.sink->use_done();
  }
  if (!tokens_.sink) return;
  if (size_.multiplier != 1) gradient.mul_(size_.multiplier);
  if (size_.frozen_row && !tokens.is_meta())
    gradient.masked_fill_(tokens.eq(*size_.frozen_row).unsqueeze(1), 0);
  tokens_.sink->add_rows(tokens, gradient);
  tokens_.sink->use_done();
}

}  // namespace galore
