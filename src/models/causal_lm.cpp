#include "models/causal_lm.h"

#include "core/errors.h"
#include "models/architectures.h"

namespace galore {
namespace {

void check_shape(const ModelConfig& c) {
  const auto positive = [](const char* name, int64_t value) {
    if (value <= 0) fail("config.json", "{} is above 0, given {}", name, value);
  };
  positive("vocab_size", c.vocab_size);
  positive("hidden_size", c.hidden_size);
  positive("intermediate_size", c.intermediate_size);
  positive("num_hidden_layers", c.num_hidden_layers);
  positive("num_attention_heads", c.num_attention_heads);
  positive("num_key_value_heads", c.num_key_value_heads);
  positive("head_dim", c.head_dim);
  positive("max_position_embeddings", c.max_position_embeddings);
  if (c.sliding_window) positive("sliding_window", *c.sliding_window);
  if (!c.layer_types.empty() && static_cast<int64_t>(c.layer_types.size()) != c.num_hidden_layers)
    fail("config.json", "layer_types names {} layers, num_hidden_layers says {}", c.layer_types.size(),
         c.num_hidden_layers);
  if (c.model_type != "gpt2" && c.head_dim % 2 != 0)
    fail("config.json", "head_dim is even, given {}", c.head_dim);
  if (c.num_attention_heads % c.num_key_value_heads != 0) {
    fail("config.json", "num_attention_heads ({}) is a multiple of num_key_value_heads ({})",
         c.num_attention_heads, c.num_key_value_heads);
  }
}

}  // namespace

LossSum CausalLM::train_step(const at::Tensor& ids, const at::Tensor& labels, double gradient_scale) {
  return train_step(next_token_batch(ids, labels), gradient_scale);
}

LossSum CausalLM::evaluate(const at::Tensor& ids, const at::Tensor& labels) {
  return evaluate(next_token_batch(ids, labels));
}

std::unique_ptr<CausalLM> make_causal_lm(const ModelConfig& config, const ModelOptions& options,
                                         Ledger& ledger) {
  check_shape(config);
  return std::make_unique<Decoder>(plan_of(config), config, options, ledger);
}

}  // namespace galore
