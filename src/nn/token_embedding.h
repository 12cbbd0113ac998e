// From token ids to the input of the first layer: a table of tokens and, where a model has one, a table of
// learned positions. Legend: T tokens of the batch, n features.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/batch.h"
#include "nn/layer_builder.h"
#include "nn/pass.h"

namespace galore {

struct EmbeddingSize {
  int64_t vocabulary, features;
  int64_t positions = 0;  // rows of the table of learned positions; 0: there is none
  // The row that gets no gradient and begins as zero, as transformers treats pad_token_id in some models.
  std::optional<int64_t> frozen_row = std::nullopt;
};

class TokenEmbedding {
 public:
  // Parameters "<tokens>.weight" (vocabulary x n) and "<positions>.weight" (positions x n).
  TokenEmbedding(const Place& tokens, const Place& positions, const EmbeddingSize& size,
                 const LayerBuilder& builder);

  // The ids as one row on the device, checked against the vocabulary.
  at::Tensor token_buffer(const Pass& pass, const at::Tensor& ids) const;
  // out (T x n) = the rows of `tokens`, of positions from `first` on unless pass.where names them, with the
  // dropout of training.
  void forward(const Pass& pass, const at::Tensor& tokens, int64_t first, const at::Tensor& out) const;
  // Reports the gradients, given that of forward()'s result, which is overwritten.
  void backward(const Pass& pass, const at::Tensor& tokens, const at::Tensor& gradient);
  // An Error unless a row of so many positions fits the table of learned positions.
  void check_length(int64_t length) const;

  Parameter& table() { return tokens_; }
  void list(ParameterList& parameters);
  // The frozen row becomes zero.
  void clear_frozen_row();

 private:
  bool has_positions() const { return positions_.value.defined(); }
  at::Tensor position_buffer(const Pass& pass, int64_t first) const;
  void drop(const Pass& pass, const at::Tensor& x) const;

  EmbeddingSize size_;
  Parameter tokens_, positions_;  // positions_ without a value: there are none
};

}  // namespace galore
