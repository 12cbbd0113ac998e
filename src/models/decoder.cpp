#include "models/decoder.h"

#include <cmath>

#include "core/errors.h"
#include "kernels/cross_entropy.h"
#include "kernels/embedding.h"
#include "kernels/random_normal.h"

namespace galore {
namespace {

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

// Attention takes no key ranges yet: a batch whose rows hold several isolated examples cannot be computed.
void refuse_key_ranges(const Batch& batch) {
  if (batch.positions.defined() || batch.first_key.defined() || batch.end_key.defined())
    fail("input_ids", "rows of several isolated examples are not supported yet: expected packing=false");
}

class Cache : public KeyValueCache {
 public:
  Cache(int64_t max_length, const std::vector<LayerCache::Size>& sizes, at::ScalarType dtype, Ledger& ledger)
      : capacity(max_length), ledger_(ledger) {
    const int64_t before = ledger.bytes(Owner::activations);
    for (const LayerCache::Size& size : sizes) layers.emplace_back(size, dtype, ledger);
    bytes_ = ledger.bytes(Owner::activations) - before;
  }
  ~Cache() override { ledger_.add(Owner::activations, -bytes_); }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  int64_t length() const override { return filled; }

  int64_t filled = 0, capacity;
  std::vector<LayerCache> layers;

 private:
  Ledger& ledger_;
  int64_t bytes_ = 0;
};

}  // namespace

Decoder::Decoder(DecoderPlan plan, const ModelConfig& config, const ModelOptions& options, Ledger& ledger)
    : plan_(std::move(plan)),
      config_(config),
      options_(options),
      workspace_(ledger),
      space_{ledger, options.weights_dtype, options.coding},
      head_(config.tie_word_embeddings ? embedding_ : head_weight_),
      rotary_({config.head_dim, config.rope_theta, config.max_position_embeddings, config.rope_scaling}) {
  const auto table = [&](Parameter& parameter, const std::string& name, int64_t rows) {
    parameter.name = name;
    parameter.role = &parameter == &head_weight_ ? Role::head : Role::embedding;
    parameter.value = space_.allocate({rows, config.hidden_size});
  };
  table(embedding_, plan_.embedding + ".weight", config.vocab_size);
  if (config.tie_word_embeddings) embedding_.uses = 2;
  if (!config.tie_word_embeddings) table(head_weight_, "lm_head.weight", config.vocab_size);
  if (has_positions()) table(positions_, plan_.positions + ".weight", config.max_position_embeddings);
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string name = plan_.layers + "." + std::to_string(i);
    layers_.push_back(std::make_unique<DecoderLayer>(name, plan_.layer(i), space_));
    ParameterList own;
    layers_.back()->list(own);
    for (Parameter* parameter : own) parameter->layer = i;
  }
  const DecoderSize size = plan_.layer(0);
  final_norm_ = make_norm(plan_.final_norm, {config.hidden_size, size.norm_epsilon, size.norm}, space_);
}

ParameterList Decoder::parameters() {
  ParameterList list{&embedding_};
  if (has_positions()) list.push_back(&positions_);
  for (const auto& layer : layers_) layer->list(list);
  final_norm_->list(list);
  if (!config_.tie_word_embeddings) list.push_back(&head_weight_);
  return list;
}

void Decoder::draw(Parameter& parameter, uint64_t seed) {
  const RandomStream stream(seed, "init", parameter.name);
  const bool scaled = !plan_.scaled_ending.empty() && parameter.name.ends_with(plan_.scaled_ending);
  const double deviation =
      scaled ? config_.initializer_range / std::sqrt(2 * static_cast<double>(config_.num_hidden_layers))
             : config_.initializer_range;
  parameter.codes ? random_normal(*parameter.codes, deviation, stream)
                  : random_normal(parameter.value, deviation, stream);
  const int64_t padding = config_.pad_token_id.value_or(-1);
  if (plan_.frozen_padding && &parameter == &embedding_ && padding >= 0 && padding < config_.vocab_size &&
      !parameter.value.is_meta())
    parameter.value[padding].zero_();
}

void Decoder::initialize(uint64_t seed) {
  for (Parameter* parameter : parameters()) {
    if (parameter->sizes().size() == 2) {
      draw(*parameter, seed);
    } else if (parameter->name.ends_with(".bias")) {
      parameter->value.zero_();
    } else {
      parameter->value.fill_(1);
    }
  }
}

Pass Decoder::pass_for(const at::Tensor& ids) {
  return {workspace_, options_.compute_dtype, ids.size(0), ids.size(1)};
}

Pass Decoder::layer_pass(const Pass& pass, size_t layer) const {
  return pass.with_prefix(options_.gradient_checkpointing ? "shared."
                                                          : "layer" + std::to_string(layer) + ".");
}

at::Tensor Decoder::stream(const Pass& pass, size_t layer) const {
  return pass.saved("stream" + std::to_string(layer), {pass.tokens(), config_.hidden_size});
}

RotaryTables Decoder::rotary_tables(const Pass& pass, int64_t first) {
  if (has_positions()) return {};
  return rotary_.tables(first, pass.length, workspace_);
}

void Decoder::check_length(int64_t length) const {
  if (has_positions() && length > config_.max_position_embeddings)
    fail("input_ids", "{} tokens in a row: the model has positions for {} (max_position_embeddings)", length,
         config_.max_position_embeddings);
}

at::Tensor Decoder::position_buffer(const Pass& pass, int64_t first) {
  const at::Tensor positions = workspace_.get(Owner::workspace, "positions", {pass.tokens()}, at::kLong);
  if (!positions.is_meta())
    positions.view({pass.rows, pass.length})
        .copy_(at::arange(first, first + pass.length, positions.options()).expand({pass.rows, pass.length}));
  return positions;
}

void Decoder::embed(const Pass& pass, const at::Tensor& tokens, int64_t first, const at::Tensor& out) {
  check_length(first + pass.length);
  embedding(out, embedding_.value, tokens);
  if (!has_positions()) return;
  const at::Tensor positions = pass.scratch("layer.normalized", out.sizes());
  embedding(positions, positions_.value, position_buffer(pass, first));
  if (!out.is_meta()) out.add_(positions);
}

// Overwrites `gradient`.
void Decoder::report_embedding(const Pass& pass, const at::Tensor& tokens, const at::Tensor& gradient) {
  if (positions_.sink) {
    positions_.sink->add_rows(position_buffer(pass, 0), gradient);
    positions_.sink->use_done();
  }
  if (!embedding_.sink) return;
  if (plan_.frozen_padding && config_.pad_token_id && !tokens.is_meta())
    gradient.masked_fill_(tokens.eq(*config_.pad_token_id).unsqueeze(1), 0);
  embedding_.sink->add_rows(tokens, gradient);
  embedding_.sink->use_done();
}

at::Tensor Decoder::token_buffer(const Pass& pass, const at::Tensor& ids) {
  if (!ids.is_meta()) check_indices(ids, config_.vocab_size, "input_ids", false);
  const at::Tensor tokens = workspace_.get(Owner::workspace, "ids", {pass.tokens()}, at::kLong);
  if (!tokens.is_meta()) tokens.view(ids.sizes()).copy_(ids);
  return tokens;
}

at::Tensor Decoder::label_buffer(const Pass& pass, const Batch& batch) {
  refuse_key_ranges(batch);
  const at::Tensor& labels = batch.targets.labels;
  if (labels.sizes() != batch.ids.sizes()) fail("labels", "expected the shape of input_ids");
  if (!labels.is_meta()) check_indices(labels, config_.vocab_size, "labels", true);
  const at::Tensor buffer = workspace_.get(Owner::workspace, "labels", {pass.tokens()}, at::kLong);
  if (!buffer.is_meta()) buffer.view(labels.sizes()).copy_(labels);
  return buffer;
}

void Decoder::set_dropout(const DropoutPlace& place) {
  if (config_.embd_pdrop + config_.resid_pdrop + config_.attn_pdrop > 0)
    dropout_ = {config_.embd_pdrop, config_.resid_pdrop, config_.attn_pdrop, place};
}

void Decoder::drop_embedding(const Pass& pass, const at::Tensor& x) const {
  if (!pass.dropout || pass.dropout->embedding == 0) return;
  const at::Tensor rows = x.view({pass.rows, x.numel() / pass.rows});
  dropout(rows, rows, pass.dropout->mask(pass.dropout->embedding, embedding_.name),
          pass.dropout->place.first_row, Write::replace);
}

LossSum Decoder::train_step(const Batch& batch, double gradient_scale) {
  Pass pass = pass_for(batch.ids);
  pass.dropout = dropout_ ? &*dropout_ : nullptr;
  const at::Tensor tokens = token_buffer(pass, batch.ids), labels = label_buffer(pass, batch);
  forward_and_keep(pass, tokens);

  const at::Tensor last = stream(pass, layers_.size());
  const at::Tensor hidden = pass.scratch("layer.normalized", last.sizes());
  const at::Tensor hidden_gradient = pass.scratch("layer.normalized_gradient", last.sizes());
  const at::Tensor statistics = final_norm_->statistics(pass, "final_statistics", pass.tokens());
  final_norm_->forward(pass, last, hidden, statistics);
  const LossSum loss = head_.train(pass, hidden, labels, gradient_scale, hidden_gradient);

  const at::Tensor gradient = pass.scratch("stream_gradient", last.sizes());
  if (!gradient.is_meta()) gradient.zero_();
  final_norm_->backward(pass, hidden_gradient, gradient, last, statistics);
  backward(pass, gradient);
  drop_embedding(pass, gradient);
  report_embedding(pass, tokens, gradient);
  return loss;
}

void Decoder::forward_and_keep(const Pass& pass, const at::Tensor& tokens) {
  const RotaryTables tables = rotary_tables(pass, 0);
  embed(pass, tokens, 0, stream(pass, 0));
  drop_embedding(pass, stream(pass, 0));
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i]->forward(layer_pass(pass, i), tables, stream(pass, i), stream(pass, i + 1));
  }
}

void Decoder::backward(const Pass& pass, const at::Tensor& gradient) {
  const RotaryTables tables = rotary_tables(pass, 0);
  for (size_t i = layers_.size(); i-- > 0;) {
    const Pass layer = layer_pass(pass, i);
    if (options_.gradient_checkpointing) layers_[i]->recompute(layer, tables, stream(pass, i));
    layers_[i]->backward(layer, tables, stream(pass, i), gradient);
  }
}

at::Tensor Decoder::hidden_states(const Pass& pass, const at::Tensor& tokens) {
  const Pass shared = layer_pass(pass, 0);  // buffers that training has anyway
  const RotaryTables tables = rotary_tables(pass, 0);
  const std::array<int64_t, 2> shape{pass.tokens(), config_.hidden_size};
  at::Tensor in = pass.saved("stream0", shape), out = pass.saved("stream1", shape);
  embed(pass, tokens, 0, in);
  for (const auto& layer : layers_) {
    layer->forward(shared, tables, in, out);
    std::swap(in, out);
  }
  const at::Tensor hidden = pass.scratch("layer.normalized", shape);
  final_norm_->forward(pass, in, hidden, final_norm_->statistics(pass, "final_statistics", pass.tokens()));
  return hidden;
}

LossSum Decoder::evaluate(const Batch& batch) {
  const Pass pass = pass_for(batch.ids);
  const at::Tensor tokens = token_buffer(pass, batch.ids), labels = label_buffer(pass, batch);
  return head_.evaluate(pass, hidden_states(pass, tokens), labels);
}

at::Tensor Decoder::logits(const at::Tensor& ids) {
  const Pass pass = pass_for(ids);
  const at::Tensor hidden = hidden_states(pass, token_buffer(pass, ids));
  return head_.logits(pass, hidden).view({ids.size(0), ids.size(1), config_.vocab_size});
}

std::unique_ptr<KeyValueCache> Decoder::new_cache(int64_t max_length) {
  if (max_length <= 0) fail("generate", "the longest sequence is above 0, given {}", max_length);
  check_length(max_length);
  std::vector<LayerCache::Size> sizes;
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i)
    sizes.push_back(
        {max_length, plan_.layer(i).attention.window, config_.num_key_value_heads, config_.head_dim});
  return std::make_unique<Cache>(max_length, sizes, options_.compute_dtype, workspace_.ledger());
}

at::Tensor Decoder::next_logits(const at::Tensor& ids, KeyValueCache& given) {
  auto& cache = dynamic_cast<Cache&>(given);
  if (ids.dim() != 1 || ids.numel() == 0) fail("input_ids", "expected one sequence of at least one token");
  const int64_t first = cache.filled, filled = first + ids.numel();
  if (filled > cache.capacity)
    fail("generate", "sequence of {} tokens exceeds the cache of {}", filled, cache.capacity);
  const at::Tensor row = ids.unsqueeze(0);
  const Pass pass = layer_pass(pass_for(row), 0);
  const RotaryTables tables = rotary_tables(pass, first);
  const at::Tensor stream = pass.saved("stream0", {pass.tokens(), config_.hidden_size});
  embed(pass, token_buffer(pass, row), first, stream);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const KeysAndValues seen = cache.layers[i].append(pass.length, pass);
    layers_[i]->forward_cached(pass, tables, stream, seen);
    cache.layers[i].keep(seen);
  }
  cache.filled = filled;
  const Pass last = layer_pass({workspace_, options_.compute_dtype, 1, 1}, 0);
  const at::Tensor hidden = last.scratch("layer.normalized", {1, config_.hidden_size});
  final_norm_->forward(last, stream.narrow(0, pass.tokens() - 1, 1), hidden,
                       final_norm_->statistics(last, "final_statistics", 1));
  return head_.logits(last, hidden).view({config_.vocab_size});
}

}  // namespace galore
