// A decoder-only transformer: token embedding, pre-norm layers, final norm, language head. What makes one of
// a kind (names, norms, biases, windows, ...) is its plan; each architecture's file makes one.
//
// Numbers follow transformers 4.57. Not kept for the backward pass: norm outputs and the MLP's product, which
// are elementwise and recomputed exactly.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/causal_lm.h"
#include "nn/decoder_layer.h"

namespace galore {

struct DecoderPlan {
  std::string embedding = "model.embed_tokens", layers = "model.layers", final_norm = "model.norm";
  std::string positions = "";  // a table of learned positions; none: rotary ones
  std::function<DecoderSize(int64_t layer)> layer;
  // transformers' rows for pad_token_id: no gradient by the embedding, and zero at first.
  bool frozen_padding = true;
  // Matrices with this ending begin smaller, by 1 / sqrt(2 x layers) (GPT-2).
  std::string scaled_ending = "";
};

class Decoder : public CausalLM {
 public:
  Decoder(DecoderPlan plan, const ModelConfig& config, const ModelOptions& options, Ledger& ledger);

  const ModelConfig& config() const override { return config_; }
  ParameterList parameters() override;
  void initialize(uint64_t seed) override;
  LossSum train_step(const Batch& batch, double gradient_scale) override;
  void set_dropout(const DropoutPlace& place) override;
  LossSum evaluate(const Batch& batch) override;
  at::Tensor logits(const at::Tensor& ids) override;
  std::unique_ptr<KeyValueCache> new_cache(int64_t max_length) override;
  at::Tensor next_logits(const at::Tensor& ids, KeyValueCache& cache) override;

 private:
  Pass pass_for(const at::Tensor& ids);
  Pass layer_pass(const Pass& pass, size_t layer) const;
  // The ids as one row on the model's device, checked against the vocabulary.
  at::Tensor token_buffer(const Pass& pass, const at::Tensor& ids);
  at::Tensor label_buffer(const Pass& pass, const Batch& batch);
  at::Tensor stream(const Pass& pass, size_t layer) const;
  RotaryTables rotary_tables(const Pass& pass, int64_t first);
  bool has_positions() const { return !plan_.positions.empty(); }
  void check_length(int64_t length) const;

  // The input of the first layer, of positions from `first` on.
  void embed(const Pass& pass, const at::Tensor& tokens, int64_t first, const at::Tensor& out);
  void report_embedding(const Pass& pass, const at::Tensor& tokens, const at::Tensor& gradient);
  at::Tensor position_buffer(const Pass& pass, int64_t first);
  // Of the first layer's input, or of its gradient.
  void drop_embedding(const Pass& pass, const at::Tensor& x) const;
  void forward_and_keep(const Pass& pass, const at::Tensor& tokens);
  void backward(const Pass& pass, const at::Tensor& gradient);
  // Through all layers and the final norm, keeping nothing; the result lives in a shared buffer.
  at::Tensor hidden_states(const Pass& pass, const at::Tensor& tokens);
  void draw(Parameter& parameter, uint64_t seed);

  DecoderPlan plan_;
  ModelConfig config_;
  ModelOptions options_;
  Workspace workspace_;
  WeightSpace space_;
  Parameter embedding_, head_weight_, positions_;  // without value: the head when tied, positions when rotary
  std::vector<std::unique_ptr<DecoderLayer>> layers_;
  std::unique_ptr<Norm> final_norm_;
  LanguageHead head_;
  RotaryEmbedding rotary_;
  std::optional<Dropout> dropout_;
};

}  // namespace galore
