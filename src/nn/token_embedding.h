// Turns token ids into the input of the first layer, with a table of tokens and, in some models, tables of
// learned positions and of token types, and a norm of their sum. Legend: T tokens of the batch, n features.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/batch.h"
#include "nn/embedding_table.h"
#include "nn/layer_builder.h"
#include "nn/norm.h"
#include "nn/pass.h"

namespace galore {

struct EmbeddingPlaces {
  Place tokens, positions = {}, types = {}, norm = {};
};

struct EmbeddingSize {
  int64_t vocabulary, features;
  int64_t positions = 0;  // rows of the table of learned positions; 0: no table
  // This row starts as zero and gets no gradient, as transformers treats pad_token_id in some models.
  std::optional<int64_t> frozen_row = std::nullopt;
  double multiplier = 1;  // of the tokens' rows
  int64_t types = 0;      // rows of the table of token types; 0: no table
  // With a padding id p (RoBERTa) tokens other than p count from position p + 1, tokens p have position p,
  // and row p of the table of positions is frozen as well.
  std::optional<int64_t> padding_id = std::nullopt;
  NormSize norm = {.kind = NormKind::none};  // of the sum of all rows
};

class TokenEmbedding {
 public:
  // Has the tables of the places `tokens` (vocabulary x n), `positions` (positions x n) and `types`
  // (types x n), and the parameters of the norm.
  TokenEmbedding(const EmbeddingPlaces& places, const EmbeddingSize& size, const LayerBuilder& builder);

  // Returns the ids as one row on the device, after a check against the vocabulary.
  at::Tensor token_buffer(const Pass& pass, const at::Tensor& ids) const;
  // Computes out (T x n), the norm of the rows of `tokens` plus those of their positions and types, with
  // dropout in training. Positions count from `first` unless pass.where names them. A norm's input is saved.
  void forward(const Pass& pass, const at::Tensor& tokens, int64_t first, const at::Tensor& out) const;
  // Reports the gradients, given the gradient of forward()'s result, which is overwritten.
  void backward(const Pass& pass, const at::Tensor& tokens, const at::Tensor& gradient);
  // Throws an Error if a row of this length does not fit the table of learned positions.
  void check_length(int64_t length) const;

  Parameter& table() { return tokens_->stored(); }
  void list(ParameterList& parameters);
  // Sets the frozen rows to zero.
  void clear_frozen_row();

 private:
  bool has_positions() const { return positions_ != nullptr; }
  bool has_norm() const { return size_.norm.kind != NormKind::none; }
  at::Tensor position_buffer(const Pass& pass, const at::Tensor& tokens, int64_t first) const;
  at::Tensor type_buffer(const Pass& pass) const;
  // Computes the sum of all rows.
  void sum_rows(const Pass& pass, const at::Tensor& tokens, int64_t first, const at::Tensor& out) const;
  void report_rows(const Pass& pass, const at::Tensor& tokens, const at::Tensor& gradient);
  void drop(const Pass& pass, const at::Tensor& x) const;
  at::Tensor saved_sum(const Pass& pass) const;
  at::Tensor norm_statistics(const Pass& pass) const;
  void add_noise(const Pass& pass, const at::Tensor& x) const;

  EmbeddingSize size_;
  TablePointer tokens_, positions_, types_;  // null without a table
  std::unique_ptr<Norm> norm_;
};

}  // namespace galore
