// From final hidden states to the loss, in chunks of tokens: the matrix of all logits never exists.
#pragma once

#include <string>

#include "core/parameter.h"
#include "nn/pass.h"

namespace galore {

struct LossSum {
  double loss = 0;         // sum of the token losses, natural logarithm
  int64_t num_tokens = 0;  // labels that count (not -100)
  double mean() const { return num_tokens > 0 ? loss / static_cast<double>(num_tokens) : 0; }
};

class LanguageHead {
 public:
  // The weight (V x n) belongs to the caller: a tied head shares the embedding's. Chunks are chosen such that
  // a chunk of fp32 logits takes at most this many bytes (but at least one token).
  explicit LanguageHead(Parameter& weight, int64_t chunk_bytes = int64_t{64} << 20)
      : weight_(weight), chunk_bytes_(chunk_bytes) {}

  // hidden: T x n; labels: T, the id that each position predicts. hidden_gradient (T x n) = gradient_scale *
  // dL/d(hidden); reports the weight's gradient chunk by chunk.
  LossSum train(const Pass& pass, const at::Tensor& hidden, const at::Tensor& labels, double gradient_scale,
                const at::Tensor& hidden_gradient);
  LossSum evaluate(const Pass& pass, const at::Tensor& hidden, const at::Tensor& labels) const;
  // T x V in fp32, a fresh tensor.
  at::Tensor logits(const Pass& pass, const at::Tensor& hidden) const;

 private:
  int64_t chunk_tokens() const;
  at::Tensor chunk_logits(const Pass& pass, const at::Tensor& hidden, const at::Tensor& weight) const;
  at::Tensor weight_for_products(const Pass& pass) const;

  Parameter& weight_;
  int64_t chunk_bytes_;
};

}  // namespace galore
