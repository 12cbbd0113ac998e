#include "models/llama.h"

#include "core/errors.h"
#include "kernels/cross_entropy.h"
#include "kernels/embedding.h"
#include "kernels/random_normal.h"

namespace galore {
namespace {

DecoderSize decoder_size(const ModelConfig& c) {
  return {{c.hidden_size, c.num_attention_heads, c.num_key_value_heads, c.head_dim, c.attention_bias},
          {c.hidden_size, c.intermediate_size, c.mlp_bias},
          c.rms_norm_eps};
}

void check_indices(const at::Tensor& values, int64_t vocabulary, const char* what, bool may_ignore) {
  if (values.scalar_type() != at::kLong || values.dim() != 2 || !values.is_cpu()) {
    fail(what, "expected int64 [rows, length] on the CPU, given {} dimensions of {} on {}", values.dim(),
         c10::toString(values.scalar_type()), values.device().str());
  }
  const at::Tensor contiguous = values.contiguous();
  const int64_t* value = contiguous.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < contiguous.numel(); ++i) {
    const bool ignored = may_ignore && value[i] == kIgnoredLabel;
    if (!ignored && (value[i] < 0 || value[i] >= vocabulary)) {
      fail(what, "expected numbers from 0 to {}{}, given {} at position {}", vocabulary - 1,
           may_ignore ? " or -100" : "", value[i], i);
    }
  }
}

class Cache : public KeyValueCache {
 public:
  Cache(size_t num_layers, at::IntArrayRef shape, at::ScalarType dtype, Ledger& ledger)
      : capacity(shape[0]), ledger_(ledger) {
    const int64_t before = ledger.bytes(Owner::activations);
    for (size_t i = 0; i < num_layers; ++i) {
      layers.push_back(
          {ledger.empty(Owner::activations, shape, dtype), ledger.empty(Owner::activations, shape, dtype)});
    }
    bytes_ = ledger.bytes(Owner::activations) - before;
  }
  ~Cache() override { ledger_.add(Owner::activations, -bytes_); }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  int64_t length() const override { return filled; }

  int64_t filled = 0, capacity;
  std::vector<KeysAndValues> layers;  // capacity x K x D each

 private:
  Ledger& ledger_;
  int64_t bytes_ = 0;
};

}  // namespace

Llama::Llama(const ModelConfig& config, const ModelOptions& options, Ledger& ledger)
    : config_(config),
      options_(options),
      workspace_(ledger),
      space_{ledger, options.weights_dtype, options.coding},
      final_norm_("model.norm", config.hidden_size, config.rms_norm_eps, space_),
      head_(config.tie_word_embeddings ? embedding_ : head_weight_),
      rotary_({config.head_dim, config.rope_theta, config.max_position_embeddings, config.rope_scaling}) {
  embedding_.name = "model.embed_tokens.weight";
  embedding_.value = space_.allocate({config.vocab_size, config.hidden_size});
  if (config.tie_word_embeddings) {
    embedding_.uses = 2;
  } else {
    head_weight_.name = "lm_head.weight";
    head_weight_.value = space_.allocate({config.vocab_size, config.hidden_size});
  }
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string name = "model.layers." + std::to_string(i);
    layers_.push_back(std::make_unique<DecoderLayer>(name, decoder_size(config), space_));
  }
}

ParameterList Llama::parameters() {
  ParameterList list{&embedding_};
  for (const auto& layer : layers_) layer->list(list);
  final_norm_.list(list);
  if (!config_.tie_word_embeddings) list.push_back(&head_weight_);
  return list;
}

void Llama::initialize(uint64_t seed) {
  for (Parameter* parameter : parameters()) {
    if (parameter->sizes().size() == 2) {
      const RandomStream stream(seed, "init", parameter->name);
      parameter->codes ? random_normal(*parameter->codes, config_.initializer_range, stream)
                       : random_normal(parameter->value, config_.initializer_range, stream);
    } else if (parameter->name.ends_with(".bias")) {
      parameter->value.zero_();
    } else {
      parameter->value.fill_(1);
    }
  }
}

Pass Llama::pass_for(const at::Tensor& ids) {
  return {workspace_, options_.compute_dtype, ids.size(0), ids.size(1)};
}

Pass Llama::layer_pass(const Pass& pass, size_t layer) const {
  return pass.with_prefix(options_.gradient_checkpointing ? "shared."
                                                          : "layer" + std::to_string(layer) + ".");
}

at::Tensor Llama::stream(const Pass& pass, size_t layer) const {
  return pass.saved("stream" + std::to_string(layer), {pass.tokens(), config_.hidden_size});
}

RotaryTables Llama::rotary_tables(const Pass& pass, int64_t first) {
  return rotary_.tables(first, pass.length, workspace_);
}

at::Tensor Llama::token_buffer(const Pass& pass, const at::Tensor& ids) {
  if (!ids.is_meta()) check_indices(ids, config_.vocab_size, "input_ids", false);
  const at::Tensor tokens = workspace_.get(Owner::workspace, "ids", {pass.tokens()}, at::kLong);
  if (!tokens.is_meta()) tokens.view(ids.sizes()).copy_(ids);
  return tokens;
}

at::Tensor Llama::label_buffer(const Pass& pass, const at::Tensor& ids, const at::Tensor& labels) {
  if (labels.sizes() != ids.sizes()) fail("labels", "expected the shape of input_ids");
  if (!labels.is_meta()) check_indices(labels, config_.vocab_size, "labels", true);
  const at::Tensor shifted = workspace_.get(Owner::workspace, "labels", {pass.tokens()}, at::kLong);
  shift_labels(shifted, labels);
  return shifted;
}

LossSum Llama::train_step(const at::Tensor& ids, const at::Tensor& labels, double gradient_scale) {
  const Pass pass = pass_for(ids);
  const at::Tensor tokens = token_buffer(pass, ids), shifted = label_buffer(pass, ids, labels);
  forward_and_keep(pass, tokens);

  const at::Tensor last = stream(pass, layers_.size());
  const at::Tensor hidden = pass.scratch("layer.normalized", last.sizes());
  const at::Tensor hidden_gradient = pass.scratch("layer.normalized_gradient", last.sizes());
  const at::Tensor inverse_rms = pass.saved_statistics("final_inverse_rms", {pass.tokens()});
  final_norm_.forward(pass, last, hidden, inverse_rms);
  const LossSum loss = head_.train(pass, hidden, shifted, gradient_scale, hidden_gradient);

  const at::Tensor gradient = pass.scratch("stream_gradient", last.sizes());
  if (!gradient.is_meta()) gradient.zero_();
  final_norm_.backward(pass, hidden_gradient, gradient, last, inverse_rms);
  backward(pass, gradient);
  if (embedding_.sink) {
    embedding_.sink->add_rows(tokens, gradient);
    embedding_.sink->use_done();
  }
  return loss;
}

void Llama::forward_and_keep(const Pass& pass, const at::Tensor& tokens) {
  const RotaryTables tables = rotary_tables(pass, 0);
  embedding(stream(pass, 0), embedding_.value, tokens);
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i]->forward(layer_pass(pass, i), tables, stream(pass, i), stream(pass, i + 1));
  }
}

void Llama::backward(const Pass& pass, const at::Tensor& gradient) {
  const RotaryTables tables = rotary_tables(pass, 0);
  for (size_t i = layers_.size(); i-- > 0;) {
    const Pass layer = layer_pass(pass, i);
    if (options_.gradient_checkpointing) layers_[i]->recompute(layer, tables, stream(pass, i));
    layers_[i]->backward(layer, tables, stream(pass, i), gradient);
  }
}

at::Tensor Llama::hidden_states(const Pass& pass, const at::Tensor& tokens) {
  const Pass shared = layer_pass(pass, 0);  // buffers that training has anyway
  const RotaryTables tables = rotary_tables(pass, 0);
  const std::array<int64_t, 2> shape{pass.tokens(), config_.hidden_size};
  at::Tensor in = pass.saved("stream0", shape), out = pass.saved("stream1", shape);
  embedding(in, embedding_.value, tokens);
  for (const auto& layer : layers_) {
    layer->forward(shared, tables, in, out);
    std::swap(in, out);
  }
  const at::Tensor hidden = pass.scratch("layer.normalized", shape);
  final_norm_.forward(pass, in, hidden, pass.saved_statistics("final_inverse_rms", {pass.tokens()}));
  return hidden;
}

LossSum Llama::evaluate(const at::Tensor& ids, const at::Tensor& labels) {
  const Pass pass = pass_for(ids);
  const at::Tensor tokens = token_buffer(pass, ids), shifted = label_buffer(pass, ids, labels);
  return head_.evaluate(pass, hidden_states(pass, tokens), shifted);
}

at::Tensor Llama::logits(const at::Tensor& ids) {
  const Pass pass = pass_for(ids);
  const at::Tensor hidden = hidden_states(pass, token_buffer(pass, ids));
  return head_.logits(pass, hidden).view({ids.size(0), ids.size(1), config_.vocab_size});
}

std::unique_ptr<KeyValueCache> Llama::new_cache(int64_t max_length) {
  if (max_length <= 0) fail("generate", "the longest sequence is above 0, given {}", max_length);
  const std::array<int64_t, 3> shape{max_length, config_.num_key_value_heads, config_.head_dim};
  return std::make_unique<Cache>(layers_.size(), shape, options_.compute_dtype, workspace_.ledger());
}

at::Tensor Llama::next_logits(const at::Tensor& ids, KeyValueCache& given) {
  auto& cache = dynamic_cast<Cache&>(given);
  if (ids.dim() != 1 || ids.numel() == 0) fail("input_ids", "expected one sequence of at least one token");
  const int64_t first = cache.filled, filled = first + ids.numel();
  if (filled > cache.capacity)
    fail("generate", "sequence of {} tokens exceeds the cache of {}", filled, cache.capacity);
  const at::Tensor row = ids.unsqueeze(0);
  const Pass pass = layer_pass(pass_for(row), 0);
  const RotaryTables tables = rotary_tables(pass, first);
  const at::Tensor stream = pass.saved("stream0", {pass.tokens(), config_.hidden_size});
  embedding(stream, embedding_.value, token_buffer(pass, row));
  for (size_t i = 0; i < layers_.size(); ++i) {
    const KeysAndValues& saved = cache.layers[i];
    layers_[i]->forward_cached(pass, tables, stream,
                               {saved.key.narrow(0, 0, filled), saved.value.narrow(0, 0, filled)});
  }
  cache.filled = filled;
  const Pass last = layer_pass({workspace_, options_.compute_dtype, 1, 1}, 0);
  const at::Tensor hidden = last.scratch("layer.normalized", {1, config_.hidden_size});
  final_norm_.forward(last, stream.narrow(0, pass.tokens() - 1, 1), hidden,
                      last.saved_statistics("final_inverse_rms", {1}));
  return head_.logits(last, hidden).view({config_.vocab_size});
}

}  // namespace galore
