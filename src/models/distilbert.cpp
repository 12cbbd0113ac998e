// DistilBERT (Sanh et al., 2019): BERT without token types and pooler. Its classifier has a layer with ReLU
// in front, and there is no dropout behind attention.
#include "models/architecture.h"

namespace galore {
namespace {

LayerSize distilbert_layer(const ModelConfig& c) {
  LayerSize size = bert().plan(c).layer(1);
  size.attention.query = "attention.q_lin";
  size.attention.key = "attention.k_lin";
  size.attention.value = "attention.v_lin";
  size.attention.output = "attention.out_lin";
  size.attention.branch.drops = false;
  size.mlp.up = "ffn.lin1";
  size.mlp.down = "ffn.lin2";
  size.input_norm = "output_layer_norm";
  size.middle_norm = "sa_layer_norm";
  return size;
}

TransformerPlan distilbert_plan(const ModelConfig& c) {
  TransformerPlan plan = encoder_plan("distilbert.transformer.layer", distilbert_layer(c), c);
  with_bert_embeddings(plan, "distilbert.embeddings");
  plan.score = {.output = "classifier", .bias = true, .dense = "pre_classifier", .activation = "relu"};
  plan.masked = {"vocab_transform", "vocab_layer_norm", "vocab_projector",
                 "vocab_projector", c.hidden_act,       c.norm_epsilon};
  return plan;
}

// These are the keys of DistilBertConfig in transformers 4.57.
ConfigKeys distilbert_keys() {
  return {
      {"vocab_size", &ModelConfig::vocab_size, 30522, 1, kLargestSize},
      {"dim", &ModelConfig::hidden_size, 768, 1, kLargestSize},
      {"hidden_dim", &ModelConfig::intermediate_size, 3072, 1, kLargestSize},
      {"n_layers", &ModelConfig::num_hidden_layers, 6, 1, kLargestCount},
      {"n_heads", &ModelConfig::num_attention_heads, 12, 1, kLargestCount},
      {"max_position_embeddings", &ModelConfig::max_position_embeddings, 512, 1, kLargestSize},
      {"initializer_range", &ModelConfig::initializer_range, 0.02, 0, 1e3},
      {"dropout", &ModelConfig::resid_pdrop, 0.1, 0, kMostDropped},
      {"attention_dropout", &ModelConfig::attn_pdrop, 0.1, 0, kMostDropped},
      {"seq_classif_dropout", &ModelConfig::classifier_dropout, 0.2, 0, kMostDropped},
      {"tie_word_embeddings", &ModelConfig::tie_word_embeddings, 1, 0, 1},
      {"pad_token_id", &ModelConfig::pad_token_id, 0, kNone, kLargestId},
  };
}

}  // namespace

Architecture distilbert() {
  Architecture made = bert();
  made.model_type = "distilbert";
  made.class_name = "DistilBertForMaskedLM";
  made.keys = distilbert_keys();
  made.requirements.push_back({"sinusoidal_pos_embds", {false}});
  made.plan = distilbert_plan;
  made.activation_key = "activation";
  made.complete = [](ModelConfig& config) {
    config.embd_pdrop = config.resid_pdrop;
    config.norm_epsilon = 1e-12;
  };
  return made;
}

}  // namespace galore
