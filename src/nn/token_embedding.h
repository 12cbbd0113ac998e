// Turns token ids into the input of the first layer, with a table of tokens and, in some models, a table of
// learned positions. Legend: T tokens of the batch, n features.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/batch.h"
#include "nn/embedding_table.h"
#include "nn/layer_builder.h"
#include "nn/pass.h"

namespace galore {

struct EmbeddingSize {
  int64_t vocabulary, features;
  int64_t positions = 0;  // rows of the table of learned positions; 0: no table
  // This row starts as zero and gets no gradient, as transformers treats pad_token_id in some models.
  std::optional<int64_t> frozen_row = std::nullopt;
  double multiplier = 1;  // of the tokens' rows
};

class TokenEmbedding {
 public:
  // Has the tables of the places `tokens` (vocabulary x n) and `positions` (positions x n).
  TokenEmbedding(const Place& tokens, const Place& positions, const EmbeddingSize& size,
                 const LayerBuilder& builder);

  // Returns the ids as one row on the device, after a check against the vocabulary.
  at::Tensor token_buffer(const Pass& pass, const at::Tensor& ids) const;
  // Computes out (T x n), the rows of `tokens` plus their positions, with dropout in training. Positions
  // count from `first` unless pass.where names them.
  void forward(const Pass& pass, const at::Tensor& tokens, int64_t first, const at::Tensor& out) const;
  // Reports the gradients, given the gradient of forward()'s result, which is overwritten.
  void backward(const Pass& pass, const at::Tensor& tokens, const at::Tensor& gradient);
  // Throws an Error if a row of this length does not fit the table of learned positions.
  void check_length(int64_t length) const;

  Parameter& table() { return tokens_->stored(); }
  void list(ParameterList& parameters);
  // Sets the frozen row to zero.
  void clear_frozen_row();

 private:
  bool has_positions() const { return positions_ != nullptr; }
  at::Tensor position_buffer(const Pass& pass, int64_t first) const;
  void drop(const Pass& pass, const at::Tensor& x) const;

  EmbeddingSize size_;
  TablePointer tokens_, positions_;  // positions_ is null if there are no learned positions
};

}  // namespace galore
