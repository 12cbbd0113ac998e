// A trunk of transformer layers: token embedding, layers, final norm. The plan describes an
// architecture's names, norms, biases, windows and the like; each architecture's file states its plan.
//
// There is no autograd graph: every buffer has a name and an owner, so the memory plan is exact, a steady
// step allocates nothing, and a layer-wise driver may update a weight in the middle of the backward pass. The
// outputs of norms and the MLP's product are not kept for the backward pass. They are elementwise, so
// recomputing them gives the same bits. Numbers follow transformers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "heads/language_head.h"
#include "heads/masked_head.h"
#include "heads/score_layers.h"
#include "models/trunk.h"
#include "nn/router_balance.h"
#include "nn/token_embedding.h"
#include "nn/transformer_layer.h"

namespace galore {

struct TransformerPlan {
  // The names in the checkpoint. If learned positions have no name, positions are rotary.
  std::string embedding = "model.embed_tokens", positions = "", layers = "model.layers",
              final_norm = "model.norm";
  std::string types = "", embedding_norm = "";  // of token types and of a norm of the embeddings' sum
  std::function<LayerSize(int64_t layer)> layer;
  // The embedding's row of pad_token_id starts as zero and gets no gradient.
  bool frozen_padding = true;
  bool positions_skip_padding = false;  // positions count from pad_token_id + 1 (RoBERTa)
  bool bidirectional = false;           // a position sees the keys before and after it (encoders)
  // Matrices whose names have this ending are initialized smaller, by 1 / sqrt(2 x layers) (GPT-2).
  std::string scaled_ending = "";
  // The rotary embeddings that layers choose from (LayerSize::rotary). Empty: one, from the configuration.
  std::vector<RotaryOptions> rotaries = {};
  double embedding_multiplier = 1;
  std::string head = "lm_head";  // an untied head's name
  LogitsSize logits = {};
  ScoreSize score = {};    // the head that scores rows
  MaskedSize masked = {};  // an encoder's head for masked tokens
};

struct TrunkOptions {
  at::ScalarType compute_dtype = at::kFloat;  // of activations and products
  // Keeps only each layer's input and recomputes the rest in the backward pass. The results are equal to the
  // last bit.
  bool gradient_checkpointing = false;
  double neftune_noise_alpha = 0;  // nn/dropout.h
};

class Transformer : public Trunk {
 public:
  Transformer(const TransformerPlan& plan, const ModelConfig& config, const TrunkOptions& options,
              const LayerBuilder& builder, Ledger& ledger);

  const ModelConfig& config() const override { return config_; }
  ParameterList parameters() override;
  void initialize(uint64_t seed) override;
  void set_dropout(const DropoutPlace& place) override;
  Pass pass_for(const Batch& batch, Keep keep) override;
  Scratch forward(const Pass& pass, const Batch& batch, Keep keep) override;
  Scratch hidden_gradient(const Pass& pass) override;
  void backward(const Pass& pass, Scratch hidden_gradient) override;
  double additional_loss(double gradient_scale) override;
  Parameter& token_embedding() override { return embedding_.table(); }
  std::unique_ptr<KeyValueCache> new_cache(int64_t max_length) override;
  Scratch extend(const at::Tensor& ids, KeyValueCache& cache) override;
  Pass pass_of_one_token() override;

 private:
  Pass layer_pass(const Pass& pass, size_t layer) const;
  at::Tensor stream(const Pass& pass, size_t layer) const;
  // Returns the tables of all rotary embeddings, which layers choose from.
  std::vector<RotaryTables> rotary_tables(const Pass& pass, int64_t first);
  RotaryTables tables_of(size_t layer, const std::vector<RotaryTables>& all) const;
  bool changes_angles(int64_t length, int64_t longer) const;
  at::Tensor final_statistics(const Pass& pass) const;
  // Runs all layers and returns the last layer's output.
  at::Tensor forward_and_keep(const Pass& pass, const at::Tensor& tokens);
  at::Tensor forward_only(const Pass& pass, const at::Tensor& tokens);
  void backward_through_layers(const Pass& pass, const at::Tensor& gradient);

  TransformerPlan plan_;
  ModelConfig config_;
  TrunkOptions options_;
  Workspace workspace_;
  TokenEmbedding embedding_;
  std::vector<std::unique_ptr<TransformerLayer>> layers_;
  std::unique_ptr<Norm> final_norm_;
  std::vector<RotaryEmbedding> rotaries_;
  std::vector<int> rotary_of_layer_;
  std::optional<Dropout> dropout_;
  std::optional<RouterBalance> balance_;
  at::Tensor kept_tokens_;  // tokens of the last forward pass that a backward pass follows
};

}  // namespace galore
