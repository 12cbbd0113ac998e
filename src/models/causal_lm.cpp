#include "models/causal_lm.h"

#include <optional>

#include "adapters/adapted_layers.h"
#include "core/errors.h"
#include "heads/language_head.h"
#include "heads/masked_head.h"
#include "heads/score_head.h"
#include "models/architecture.h"
#include "models/trunk.h"
#include "nn/layer_builder.h"

namespace galore {
namespace {

// Implements what all models share. `Interface` is TrainableModel or an interface derived from it.
template <typename Interface>
class TrunkWithHead : public Interface {
 public:
  explicit TrunkWithHead(std::unique_ptr<Trunk> trunk) : trunk_(std::move(trunk)) {}

  const ModelConfig& config() const override { return trunk_->config(); }
  const AdaptedLayers* adapted() const override { return adapted_.get(); }
  ParameterList parameters() override {
    ParameterList list = trunk_->parameters();
    head().list(list);
    return list;
  }
  void initialize(uint64_t seed) override {
    trunk_->initialize(seed);
    initialize_head(seed);
  }
  // Keeps the adapter's layers, which belong to the trunk, and lets the adapter freeze parameters.
  void keep(std::unique_ptr<AdaptedLayers> adapted) {
    adapted_ = std::move(adapted);
    adapted_->choose_trainable(parameters());
  }
  void initialize_head(uint64_t seed) override { head().initialize(seed, config().initializer_range); }
  void set_target_weight(const at::Tensor& weight) override { head().set_target_weight(weight); }
  void set_dropout(const DropoutPlace& place) override { trunk_->set_dropout(place); }

  LossSum train_step(const Batch& batch, double gradient_scale) override {
    const Pass pass = trunk_->pass_for(batch, Keep::for_backward);
    LossSum loss;
    Scratch gradient = [&] {
      const Scratch hidden = trunk_->forward(pass, batch, Keep::for_backward);
      Scratch filled = trunk_->hidden_gradient(pass);
      loss = head().train(pass, hidden, batch.targets, gradient_scale, filled);
      return filled;
    }();
    // The share of the micro-batch in the targets of the update is its weight.
    const auto tokens = static_cast<double>(loss.num_tokens);
    loss.loss += tokens * trunk_->additional_loss(gradient_scale * tokens);
    trunk_->backward(pass, std::move(gradient));
    return loss;
  }
  LossSum evaluate(const Batch& batch, Predictions* out) override {
    const Pass pass = trunk_->pass_for(batch, Keep::nothing);
    const Scratch hidden = trunk_->forward(pass, batch, Keep::nothing);
    LossSum loss = head().evaluate(pass, hidden, batch.targets, out);
    loss.loss += static_cast<double>(loss.num_tokens) * trunk_->additional_loss(0);
    return loss;
  }

 protected:
  Trunk& trunk() const { return *trunk_; }
  virtual Head& head() = 0;

 private:
  std::unique_ptr<AdaptedLayers> adapted_;  // or null
  std::unique_ptr<Trunk> trunk_;
};

class LanguageModel : public TrunkWithHead<CausalLM> {
 public:
  LanguageModel(std::unique_ptr<Trunk> own_trunk, const TransformerPlan& plan, const LayerBuilder& builder)
      : TrunkWithHead<CausalLM>(std::move(own_trunk)) {
    const ModelConfig& c = config();
    Parameter& table = trunk().token_embedding();
    if (c.tie_word_embeddings) {
      table.uses = 2;
      head_.emplace(table, LanguageHead::kChunkBytes, plan.logits);
    } else {
      head_.emplace(Place{plan.head, Role::head}, c.vocab_size, c.hidden_size, builder, plan.logits);
    }
  }

  void set_loss(const LossOptions& loss) { head_->set_loss(loss); }

  at::Tensor logits(const at::Tensor& ids) override {
    Batch batch;
    batch.ids = ids;
    const Pass pass = trunk().pass_for(batch, Keep::nothing);
    const Scratch hidden = trunk().forward(pass, batch, Keep::nothing);
    return head_->logits(pass, hidden).view({ids.size(0), ids.size(1), config().vocab_size});
  }
  std::unique_ptr<KeyValueCache> new_cache(int64_t max_length) override {
    return trunk().new_cache(max_length);
  }
  at::Tensor next_logits(const at::Tensor& ids, KeyValueCache& cache) override {
    const Scratch hidden = trunk().extend(ids, cache);
    return head_->logits(trunk().pass_of_one_token(), hidden).view({config().vocab_size});
  }

 private:
  Head& head() override { return *head_; }

  std::optional<LanguageHead> head_;
};

class ScoreModel : public TrunkWithHead<TrainableModel> {
 public:
  ScoreModel(std::unique_ptr<Trunk> own_trunk, const TransformerPlan& plan, const LayerBuilder& builder)
      : TrunkWithHead<TrainableModel>(std::move(own_trunk)),
        head_(config().head, config().hidden_size, builder, score_size(plan)) {}

 private:
  Head& head() override { return head_; }
  ScoreSize score_size(const TransformerPlan& plan) const {
    ScoreSize size = plan.score;
    size.has_dropout = !config().head.has_values();
    return size;
  }

  ScoreHead head_;
};

class MaskedModel : public TrunkWithHead<TrainableModel> {
 public:
  MaskedModel(std::unique_ptr<Trunk> own_trunk, const TransformerPlan& plan, const LayerBuilder& builder)
      : TrunkWithHead<TrainableModel>(std::move(own_trunk)),
        head_(plan.masked, trunk().token_embedding(), config().tie_word_embeddings, builder) {}

 private:
  Head& head() override { return head_; }

  MaskedHead head_;
};

// Refuses heads that the trunk's attention does not allow.
void check_head(const ModelConfig& c) {
  if (c.head.kind == HeadKind::masked && !is_encoder(c))
    fail("model", "masked tokens are predicted by encoders such as bert, given model_type '{}'",
         c.model_type);
  const bool reads_on = c.head.kind == HeadKind::language || c.head.kind == HeadKind::action_value;
  if (reads_on && is_encoder(c))
    fail("model",
         "expected a classifier, a regression, values or masked language modelling for the encoder '{}', "
         "given a head that foresees the next token",
         c.model_type);
}

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
  if (architecture(c.model_type).rotary && rotary_options(c).head_dim % 2 != 0)
    fail("config.json", "head_dim is even, given {}", c.head_dim);
  if (c.num_attention_heads % c.num_key_value_heads != 0) {
    fail("config.json", "num_attention_heads ({}) is a multiple of num_key_value_heads ({})",
         c.num_attention_heads, c.num_key_value_heads);
  }
}

// Dense matrices, or quantized ones where the options say so, with the adapter around them.
std::unique_ptr<LayerBuilder> layer_builder(const ModelOptions& options, AdaptedLayers* adapted,
                                            Ledger& ledger) {
  std::unique_ptr<LayerBuilder> builder = std::make_unique<DenseBuilder>(ledger, options.weights_dtype);
  if (options.quantization)
    builder = std::make_unique<QuantizedBuilder>(std::move(builder), options.quantization, ledger);
  return adapted ? adapted->wrap(std::move(builder), ledger) : std::move(builder);
}

template <typename Built>
std::unique_ptr<Built> build(const ModelConfig& config, const ModelOptions& options, Ledger& ledger) {
  check_shape(config);
  check_head(config);
  auto adapted = options.adapter ? std::make_unique<AdaptedLayers>(options.adapter) : nullptr;
  const auto builder = layer_builder(options, adapted.get(), ledger);
  const TrunkOptions trunk{options.compute_dtype, options.gradient_checkpointing,
                           options.neftune_noise_alpha};
  const TransformerPlan plan = architecture(config.model_type).plan(config);
  auto model = std::make_unique<Built>(std::make_unique<Transformer>(plan, config, trunk, *builder, ledger),
                                       plan, *builder);
  if constexpr (std::is_same_v<Built, LanguageModel>) model->set_loss(options.loss);
  if (adapted) model->keep(std::move(adapted));
  return model;
}

}  // namespace

std::unique_ptr<CausalLM> make_causal_lm(const ModelConfig& config, const ModelOptions& options,
                                         Ledger& ledger) {
  if (is_encoder(config))
    fail("model", "expected a causal language model, given the encoder '{}'", config.model_type);
  return build<LanguageModel>(config, options, ledger);
}

std::unique_ptr<TrainableModel> make_model(const ModelConfig& config, const ModelOptions& options,
                                           Ledger& ledger) {
  if (config.head.kind == HeadKind::language) return build<LanguageModel>(config, options, ledger);
  if (config.head.kind == HeadKind::masked) return build<MaskedModel>(config, options, ledger);
  return build<ScoreModel>(config, options, ledger);
}

CausalLM& as_causal_lm(TrainableModel& model, const std::string& where) {
  if (auto* language = dynamic_cast<CausalLM*>(&model)) return *language;
  fail(where, "expected a language model, given a model with another head");
}

}  // namespace galore
