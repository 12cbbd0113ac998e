// BERT (Devlin et al., 2018): an encoder with bidirectional attention, learned positions, token types, norms
// of the sums, and a head on the first token. The encoders of sentence-transformers have this form too.
#include "models/architecture.h"

namespace galore {
namespace {

constexpr const char* kNorm = "output.LayerNorm";

LayerSize bert_layer(const ModelConfig& c) {
  LayerSize size;
  size.attention = {c.hidden_size, c.num_attention_heads, c.num_attention_heads, c.head_dim};
  size.attention.bias = size.attention.output_bias = true;
  size.attention.query = "attention.self.query";
  size.attention.key = "attention.self.key";
  size.attention.value = "attention.self.value";
  size.attention.output = "attention.output.dense";
  size.mlp = {c.hidden_size, c.intermediate_size, /*bias=*/true, c.hidden_act, /*gated=*/false};
  size.mlp.up = "intermediate.dense";
  size.mlp.down = "output.dense";
  size.norm_epsilon = c.norm_epsilon;
  size.norm = NormKind::layer;
  size.adds_to_norm = true;
  size.input_norm = kNorm;
  size.middle_norm = "attention.output.LayerNorm";
  return size;
}

TransformerPlan bert_plan(const ModelConfig& c) {
  TransformerPlan plan = encoder_plan("bert.encoder.layer", bert_layer(c), c);
  with_bert_embeddings(plan, "bert.embeddings");
  plan.types = "bert.embeddings.token_type_embeddings";
  plan.score = {.output = "classifier", .bias = true, .dense = "bert.pooler.dense", .activation = "tanh"};
  plan.masked = {"cls.predictions.transform.dense",
                 "cls.predictions.transform.LayerNorm",
                 "cls.predictions",
                 "cls.predictions.decoder",
                 c.hidden_act,
                 c.norm_epsilon};
  return plan;
}

// These are the keys of BertConfig in transformers 4.57.
ConfigKeys bert_keys() {
  return {
      {"vocab_size", &ModelConfig::vocab_size, 30522, 1, kLargestSize},
      {"hidden_size", &ModelConfig::hidden_size, 768, 1, kLargestSize},
      {"intermediate_size", &ModelConfig::intermediate_size, 3072, 1, kLargestSize},
      {"num_hidden_layers", &ModelConfig::num_hidden_layers, 12, 1, kLargestCount},
      {"num_attention_heads", &ModelConfig::num_attention_heads, 12, 1, kLargestCount},
      {"max_position_embeddings", &ModelConfig::max_position_embeddings, 512, 1, kLargestSize},
      {"type_vocab_size", &ModelConfig::type_vocab_size, 2, 1, kLargestCount},
      {"layer_norm_eps", &ModelConfig::norm_epsilon, 1e-12, 0, 1},
      {"initializer_range", &ModelConfig::initializer_range, 0.02, 0, 1e3},
      {"hidden_dropout_prob", &ModelConfig::resid_pdrop, 0.1, 0, kMostDropped},
      {"attention_probs_dropout_prob", &ModelConfig::attn_pdrop, 0.1, 0, kMostDropped},
      {"classifier_dropout", &ModelConfig::classifier_dropout, kNone, 0, kMostDropped},
      {"tie_word_embeddings", &ModelConfig::tie_word_embeddings, 1, 0, 1},
      {"pad_token_id", &ModelConfig::pad_token_id, 0, kNone, kLargestId},
  };
}

}  // namespace

void with_bert_embeddings(TransformerPlan& plan, const std::string& place) {
  plan.embedding = place + ".word_embeddings";
  plan.positions = place + ".position_embeddings";
  plan.embedding_norm = place + ".LayerNorm";
}

Architecture bert() {
  Architecture made{"bert",
                    "BertForMaskedLM",
                    bert_keys(),
                    {
                        {"position_embedding_type", {std::string("absolute")}},
                        {"is_decoder", {false}},
                        {"add_cross_attention", {false}},
                        {"quantization_config", {}},
                    },
                    bert_plan,
                    "hidden_act",
                    "gelu",
                    /*rotary=*/false};
  made.complete = [](ModelConfig& config) { config.embd_pdrop = config.resid_pdrop; };
  made.encoder = true;
  return made;
}

}  // namespace galore
