// Computes the cross entropy of token ids from final hidden states, in chunks of tokens, so that the matrix
// of all logits never exists. Legend: T tokens, n features, V vocabulary.
#pragma once

#include "heads/head.h"
#include "heads/token_loss.h"
#include "nn/layer_builder.h"
#include "nn/linear_layer.h"

namespace galore {

// What a model does with the products of hidden states and the weight before they are logits.
struct LogitsSize {
  double divisor = 1;   // (Granite)
  double soft_cap = 0;  // with c > 0 a logit z becomes c tanh(z / c) (Gemma 2)
};

class LanguageHead : public Head {
 public:
  // The limit of the fp32 logits of a chunk. A chunk has at least one token.
  static constexpr int64_t kChunkBytes = int64_t{64} << 20;

  // Shares `weight` (V x n), a tied embedding's table that belongs to the caller.
  explicit LanguageHead(Parameter& weight, int64_t chunk_bytes = kChunkBytes, const LogitsSize& size = {})
      : vocabulary_(weight.sizes()[0]), weight_(weight), chunk_bytes_(chunk_bytes), size_(size) {}
  // Shares `weight` and adds a bias (V) of its own, "<bias>.bias" (BERT).
  LanguageHead(Parameter& weight, const Place& bias, const LayerBuilder& builder);
  // Has a weight of its own, "<place>.weight", or the layer that the builder puts in its place.
  LanguageHead(const Place& place, int64_t vocabulary, int64_t features, const LayerBuilder& builder,
               const LogitsSize& size = {});

  LossSum train(const Pass& pass, const at::Tensor& hidden, const Targets& targets, double gradient_scale,
                const at::Tensor& hidden_gradient) override;
  LossSum evaluate(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                   Predictions* out) const override;
  void list(ParameterList& parameters) override;
  // The loss from now on; without this call it is the plain cross entropy.
  void set_loss(const LossOptions& loss) { loss_ = loss; }
  // Returns T x V logits in fp32, as a new tensor.
  at::Tensor logits(const Pass& pass, const at::Tensor& hidden) const;

 private:
  int64_t chunk_tokens() const;
  // Turns products into logits, in place.
  void finish_logits(const at::Tensor& products) const;
  void logits_gradient(const Pass& pass, const at::Tensor& losses, const at::Tensor& logits,
                       const at::Tensor& labels, double gradient_scale) const;
  void loss_gradient(const Pass& pass, const at::Tensor& losses, const at::Tensor& logits,
                     const at::Tensor& labels, double gradient_scale) const;
  // Returns the pass of tokens [first, first + count), in which each token is a row.
  Pass chunk_pass(const Pass& pass, int64_t first, int64_t count, Dropout& dropout) const;
  Scratch chunk_logits(const Pass& pass, const at::Tensor& hidden, const at::Tensor& weight) const;
  void chunk_backward(const Pass& pass, const at::Tensor& logits, const at::Tensor& hidden,
                      const at::Tensor& weight, const at::Tensor& hidden_gradient);
  at::Tensor weight_for_products(const Pass& pass) const;
  at::Tensor label_buffer(const Pass& pass, const Targets& targets) const;
  void compute_losses(const Pass& pass, const at::Tensor& hidden, const at::Tensor& labels,
                      const at::Tensor& losses) const;
  // The tokens of a pass: T labels, T losses and, if it is defined, a factor (fp32) for each token's
  // gradient.
  struct TokenRows {
    at::Tensor labels, losses, weights;
  };
  void train_tokens(const Pass& pass, const at::Tensor& hidden, const TokenRows& tokens,
                    double gradient_scale, const at::Tensor& hidden_gradient);
  LossSum train_pairs(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                      double gradient_scale, const at::Tensor& hidden_gradient);

  LinearPointer layer_;  // null if the head is a plain matrix
  int64_t vocabulary_;
  Parameter own_;   // has no value if the head is tied or a layer
  Parameter bias_;  // has no value if there is no bias
  Parameter& weight_;
  int64_t chunk_bytes_;
  LogitsSize size_;
  LossOptions loss_;
};

}  // namespace galore
