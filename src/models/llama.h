// LLaMA (Touvron et al., 2023; checkpoints with model_type "llama"): pre-norm decoder with rotary positions,
// SwiGLU and, in later versions, grouped key and value heads.
//
// Numbers follow transformers 4.57 (modeling_llama.py). Not kept for the backward pass: norm outputs and the
// SwiGLU product, which are elementwise and recomputed exactly.
#pragma once

#include <memory>
#include <vector>

#include "models/causal_lm.h"
#include "nn/decoder_layer.h"

namespace galore {

class Llama : public CausalLM {
 public:
  Llama(const ModelConfig& config, const ModelOptions& options, Ledger& ledger);

  const ModelConfig& config() const override { return config_; }
  ParameterList parameters() override;
  void initialize(uint64_t seed) override;
  LossSum train_step(const at::Tensor& ids, const at::Tensor& labels, double gradient_scale) override;
  LossSum evaluate(const at::Tensor& ids, const at::Tensor& labels) override;
  at::Tensor logits(const at::Tensor& ids) override;
  std::unique_ptr<KeyValueCache> new_cache(int64_t max_length) override;
  at::Tensor next_logits(const at::Tensor& ids, KeyValueCache& cache) override;

 private:
  Pass pass_for(const at::Tensor& ids);
  Pass layer_pass(const Pass& pass, size_t layer) const;
  // The ids as one row on the model's device, checked against the vocabulary.
  at::Tensor token_buffer(const Pass& pass, const at::Tensor& ids);
  at::Tensor label_buffer(const Pass& pass, const at::Tensor& ids, const at::Tensor& labels);
  at::Tensor stream(const Pass& pass, size_t layer) const;
  RotaryTables rotary_tables(const Pass& pass, int64_t first);

  void forward_and_keep(const Pass& pass, const at::Tensor& tokens);
  void backward(const Pass& pass, const at::Tensor& gradient);
  // Through all layers and the final norm, keeping nothing; the result lives in a shared buffer.
  at::Tensor hidden_states(const Pass& pass, const at::Tensor& tokens);

  ModelConfig config_;
  ModelOptions options_;
  Workspace workspace_;
  WeightSpace space_;
  Parameter embedding_, head_weight_;  // head_weight_ has no value when tied
  std::vector<std::unique_ptr<DecoderLayer>> layers_;
  Norm final_norm_;
  LanguageHead head_;
  RotaryEmbedding rotary_;
};

}  // namespace galore
