// RoBERTa (Liu et al., 2019): BERT with other positions and heads. Positions begin behind pad_token_id, and
// the classifier has a layer of its own instead of a pooler.
#include "models/architecture.h"

namespace galore {
namespace {

TransformerPlan roberta_plan(const ModelConfig& c) {
  TransformerPlan plan = encoder_plan("roberta.encoder.layer", bert().plan(c).layer(1), c);
  with_bert_embeddings(plan, "roberta.embeddings");
  plan.types = "roberta.embeddings.token_type_embeddings";
  plan.positions_skip_padding = true;
  plan.score = {.output = "classifier.out_proj",
                .bias = true,
                .dense = "classifier.dense",
                .activation = "tanh",
                .drops_inputs = true};
  plan.masked = {"lm_head.dense", "lm_head.layer_norm", "lm_head", "lm_head.decoder", "gelu", c.norm_epsilon};
  return plan;
}

}  // namespace

// The keys are those of RobertaConfig in transformers 4.57.
Architecture roberta() {
  Architecture made = bert();
  made.model_type = "roberta";
  made.class_name = "RobertaForMaskedLM";
  made.keys = with_default(made.keys, "vocab_size", 50265);
  made.keys = with_default(made.keys, "pad_token_id", 1);
  made.keys.push_back({"bos_token_id", &ModelConfig::bos_token_id, 0, kNone, kLargestId});
  made.keys.push_back({"eos_token_id", &ModelConfig::eos_token_id, 2, kNone, kLargestId});
  made.plan = roberta_plan;
  return made;
}

}  // namespace galore
