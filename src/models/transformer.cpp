#include "models/transformer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/errors.h"
#include "models/architecture.h"
#include "nn/initialize.h"

namespace galore {
namespace {

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

  // Lets the sequence begin anew.
  void clear() {
    filled = 0;
    for (LayerCache& layer : layers) layer.clear();
  }

  int64_t filled = 0, capacity;
  at::Tensor ids = at::empty({0}, at::kLong);  // of the sequence
  std::vector<LayerCache> layers;

 private:
  Ledger& ledger_;
  int64_t bytes_ = 0;
};

EmbeddingSize embedding_size(const TransformerPlan& plan, const ModelConfig& config) {
  EmbeddingSize size{config.vocab_size, config.hidden_size};
  if (!plan.positions.empty()) size.positions = config.max_position_embeddings;
  if (plan.frozen_padding) size.frozen_row = config.pad_token_id;
  size.multiplier = plan.embedding_multiplier;
  if (!plan.types.empty()) size.types = config.type_vocab_size;
  if (plan.positions_skip_padding) size.padding_id = config.pad_token_id;
  if (!plan.embedding_norm.empty()) size.norm = {config.hidden_size, config.norm_epsilon, plan.layer(0).norm};
  return size;
}

// Returns ranges in which each position sees all keys of its row.
PassPositions all_keys(const Batch& batch) {
  const auto range = at::TensorOptions(at::kInt);
  const std::array<int64_t, 2> shape{batch.rows(), batch.length()};
  return {batch.positions, at::zeros(shape, range), at::full(shape, batch.length(), range)};
}

std::vector<RotaryEmbedding> make_rotaries(const TransformerPlan& plan, const ModelConfig& config) {
  std::vector<RotaryOptions> options = plan.rotaries;
  if (options.empty() && plan.positions.empty()) options.push_back(rotary_options(config));
  std::vector<RotaryEmbedding> rotaries;
  for (const RotaryOptions& rotary : options)
    rotaries.emplace_back(rotary, rotaries.empty() ? "rotary" : "rotary" + std::to_string(rotaries.size()));
  return rotaries;
}

}  // namespace

Transformer::Transformer(const TransformerPlan& plan, const ModelConfig& config, const TrunkOptions& options,
                         const LayerBuilder& builder, Ledger& ledger)
    : plan_(plan),
      config_(config),
      options_(options),
      workspace_(ledger),
      embedding_({{plan.embedding}, {plan.positions}, {plan.types}, {plan.embedding_norm}},
                 embedding_size(plan, config), builder),
      rotaries_(make_rotaries(plan, config)) {
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const Place place{plan.layers + "." + std::to_string(i), Role::matrix, i, config.num_hidden_layers};
    const LayerSize size = plan.layer(i);
    layers_.push_back(std::make_unique<TransformerLayer>(place, size, builder));
    rotary_of_layer_.push_back(size.rotary);
  }
  if (config.output_router_logits && config.num_experts > 0) balance_.emplace(config.num_experts);
  const LayerSize size = plan.layer(0);
  final_norm_ = make_norm({plan.final_norm}, {config.hidden_size, size.norm_epsilon, size.norm}, builder);
}

ParameterList Transformer::parameters() {
  ParameterList list;
  embedding_.list(list);
  for (const auto& layer : layers_) layer->list(list);
  final_norm_->list(list);
  return list;
}

void Transformer::initialize(uint64_t seed) {
  const double scale = 1 / std::sqrt(2 * static_cast<double>(config_.num_hidden_layers));
  for (Parameter* parameter : parameters()) {
    const bool scaled = !plan_.scaled_ending.empty() && parameter->name.ends_with(plan_.scaled_ending);
    galore::initialize(*parameter, seed,
                       scaled ? config_.initializer_range * scale : config_.initializer_range);
  }
  embedding_.clear_frozen_row();
  if (plan_.layer(0).norm != NormKind::rms_plus_one) return;
  for (Parameter* parameter : parameters())
    if (parameter->role == Role::norm) parameter->value.zero_();
}

void Transformer::set_dropout(const DropoutPlace& place) {
  dropout_ = {config_.embd_pdrop,
              config_.resid_pdrop,
              config_.attn_pdrop,
              plan_.bidirectional ? config_.classifier_dropout.value_or(config_.resid_pdrop) : 0,
              place,
              options_.neftune_noise_alpha};
}

Pass Transformer::pass_for(const Batch& batch, Keep keep) {
  Pass pass{workspace_, options_.compute_dtype, batch.rows(), batch.length()};
  if (keep == Keep::for_backward && dropout_) pass.dropout = &*dropout_;
  pass.where = {batch.positions, batch.first_key, batch.end_key};
  if (plan_.bidirectional && !batch.end_key.defined() && !batch.ids.is_meta()) pass.where = all_keys(batch);
  pass.where.token_types = batch.token_types;
  if (balance_) pass.balance = &*balance_;
  return pass;
}

Pass Transformer::layer_pass(const Pass& pass, size_t layer) const {
  return pass.with_prefix(options_.gradient_checkpointing ? "shared."
                                                          : "layer" + std::to_string(layer) + ".");
}

at::Tensor Transformer::stream(const Pass& pass, size_t layer) const {
  return pass.saved("stream" + std::to_string(layer), {pass.tokens(), config_.hidden_size});
}

std::vector<RotaryTables> Transformer::rotary_tables(const Pass& pass, int64_t first) {
  const at::Tensor& positions = pass.where.positions;
  const bool named = positions.defined() && !positions.is_meta();
  std::vector<RotaryTables> tables;
  for (RotaryEmbedding& rotary : rotaries_)
    tables.push_back(named ? rotary.tables(0, positions.max().item<int64_t>() + 1, workspace_)
                           : rotary.tables(first, pass.length, workspace_));
  return tables;
}

RotaryTables Transformer::tables_of(size_t layer, const std::vector<RotaryTables>& all) const {
  const int number = rotary_of_layer_[layer];
  return number == kNoRotary || all.empty() ? RotaryTables() : all.at(static_cast<size_t>(number));
}

bool Transformer::changes_angles(int64_t length, int64_t longer) const {
  return std::any_of(rotaries_.begin(), rotaries_.end(),
                     [&](const RotaryEmbedding& rotary) { return rotary.changes_between(length, longer); });
}

at::Tensor Transformer::final_statistics(const Pass& pass) const {
  return final_norm_->statistics(pass, "final_statistics", pass.tokens());
}

Scratch Transformer::forward(const Pass& pass, const Batch& batch, Keep keep) {
  const at::Tensor tokens = embedding_.token_buffer(pass, batch.ids);
  const bool kept = keep == Keep::for_backward;
  if (balance_) balance_->begin();
  if (kept) kept_tokens_ = tokens;
  const at::Tensor last = kept ? forward_and_keep(pass, tokens) : forward_only(pass, tokens);
  Scratch hidden = normalized_buffer(pass, config_.hidden_size);
  final_norm_->forward(pass, last, hidden, final_statistics(pass));
  return hidden;
}

at::Tensor Transformer::forward_and_keep(const Pass& pass, const at::Tensor& tokens) {
  const auto tables = rotary_tables(pass, 0);
  embedding_.forward(pass, tokens, 0, stream(pass, 0));
  for (size_t i = 0; i < layers_.size(); ++i)
    layers_[i]->forward(layer_pass(pass, i), tables_of(i, tables), stream(pass, i), stream(pass, i + 1));
  return stream(pass, layers_.size());
}

// Uses buffers that training has as well.
at::Tensor Transformer::forward_only(const Pass& pass, const at::Tensor& tokens) {
  const Pass shared = layer_pass(pass, 0);
  const auto tables = rotary_tables(pass, 0);
  at::Tensor in = stream(pass, 0), out = stream(pass, 1);
  embedding_.forward(pass, tokens, 0, in);
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i]->forward(shared, tables_of(i, tables), in, out);
    std::swap(in, out);
  }
  return in;
}

double Transformer::additional_loss(double gradient_scale) {
  if (!balance_) return 0;
  balance_->set_scale(gradient_scale * config_.router_aux_loss_coef);
  return config_.router_aux_loss_coef * balance_->loss();
}

Scratch Transformer::hidden_gradient(const Pass& pass) {
  return normalized_gradient_buffer(pass, config_.hidden_size);
}

void Transformer::backward(const Pass& pass, Scratch given) {
  const at::Tensor last = stream(pass, layers_.size());
  const Scratch gradient = pass.scratch("stream_gradient", last.sizes());
  if (!gradient->is_meta()) gradient->zero_();
  {
    const Scratch hidden_gradient = std::move(given);  // the layers use its buffer
    final_norm_->backward(pass, hidden_gradient, gradient, last, final_statistics(pass));
  }
  backward_through_layers(pass, gradient);
  embedding_.backward(pass, kept_tokens_, gradient);
}

void Transformer::backward_through_layers(const Pass& pass, const at::Tensor& gradient) {
  const auto tables = rotary_tables(pass, 0);
  for (size_t i = layers_.size(); i-- > 0;) {
    const Pass layer = layer_pass(pass, i);
    if (options_.gradient_checkpointing) layers_[i]->recompute(layer, tables_of(i, tables), stream(pass, i));
    layers_[i]->backward(layer, tables_of(i, tables), stream(pass, i), gradient);
  }
}

std::unique_ptr<KeyValueCache> Transformer::new_cache(int64_t max_length) {
  if (max_length <= 0) fail("generate", "the longest sequence is above 0, given {}", max_length);
  embedding_.check_length(max_length);
  std::vector<LayerCache::Size> sizes;
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    const AttentionSize size = plan_.layer(i).attention;
    sizes.push_back({max_length, size.window, size.key_heads, size.head_dim});
  }
  return std::make_unique<Cache>(max_length, sizes, options_.compute_dtype, workspace_.ledger());
}

Pass Transformer::pass_of_one_token() { return layer_pass({workspace_, options_.compute_dtype, 1, 1}, 0); }

Scratch Transformer::extend(const at::Tensor& given_ids, KeyValueCache& given) {
  auto& cache = dynamic_cast<Cache&>(given);
  if (given_ids.dim() != 1 || given_ids.numel() == 0)
    fail("input_ids", "expected one sequence of at least one token");
  const int64_t filled = cache.filled + given_ids.numel();
  if (filled > cache.capacity)
    fail("generate", "sequence of {} tokens exceeds the cache of {}", filled, cache.capacity);
  cache.ids = at::cat({cache.ids, given_ids.cpu()});
  // Keys with angles of a shorter context are computed again, as transformers does.
  const bool stale = cache.filled > 0 && changes_angles(cache.filled, filled);
  if (stale) cache.clear();
  const at::Tensor ids = stale ? cache.ids : given_ids;
  const int64_t first = cache.filled;
  const Pass pass = layer_pass({workspace_, options_.compute_dtype, 1, ids.numel()}, 0);
  const auto tables = rotary_tables(pass, first);
  const at::Tensor newest = stream(pass, 0);
  embedding_.forward(pass, embedding_.token_buffer(pass, ids.unsqueeze(0)), first, newest);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerCache::Seen seen = cache.layers[i].append(pass.length, pass);
    layers_[i]->forward_cached(pass, tables_of(i, tables), newest, seen.rows);
    cache.layers[i].keep(seen);
  }
  cache.filled = filled;
  const Pass last = pass_of_one_token();
  Scratch hidden = normalized_buffer(last, config_.hidden_size);
  final_norm_->forward(last, newest.narrow(0, pass.tokens() - 1, 1), hidden, final_statistics(last));
  return hidden;
}

}  // namespace galore
