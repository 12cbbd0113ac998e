#include "heads/language_head.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "core/errors.h"
#include "core/labels.h"
#include "kernels/convert.h"
#include "kernels/cross_entropy.h"
#include "kernels/matmul.h"
#include "nn/indices.h"

namespace galore {
namespace {

Scratch loss_buffer(const Pass& pass) {
  return pass.workspace.lease(Owner::workspace, "head.losses", {pass.tokens()}, at::kDouble);
}

// Sums in the order of the tokens, so that the sum does not depend on chunks or threads.
LossSum sum_losses(const at::Tensor& losses, const at::Tensor& labels) {
  LossSum sum;
  if (losses.is_meta()) return sum;
  const at::Tensor on_cpu = losses.cpu(), labels_on_cpu = labels.cpu();
  const double* loss = on_cpu.const_data_ptr<double>();
  const int64_t* label = labels_on_cpu.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < losses.numel(); ++i) {
    sum.loss += loss[i];
    sum.num_tokens += label[i] != kIgnoredLabel;
  }
  return sum;
}

// Sums the gradient of a bias over the chunks of a batch. Without a value nothing is done.
class BiasGradient {
 public:
  BiasGradient(const Pass& pass, Parameter& bias) : bias_(bias) {
    if (!bias.sink) return;
    sum_.emplace(pass.scratch("head.bias_gradient", bias.value.sizes()));
    if (!bias.value.is_meta()) (*sum_)->zero_();
  }
  void add(const at::Tensor& logits) {
    if (sum_ && !logits.is_meta()) (*sum_)->add_(logits.sum(0));
  }
  void report() {
    if (!sum_) return;
    bias_.sink->add(*sum_);
    bias_.sink->use_done();
  }

 private:
  Parameter& bias_;
  std::optional<Scratch> sum_;
};

}  // namespace

LanguageHead::LanguageHead(const Place& place, int64_t vocabulary, int64_t features,
                           const LayerBuilder& builder, const LogitsSize& size)
    : vocabulary_(vocabulary), weight_(own_), chunk_bytes_(kChunkBytes), size_(size) {
  const Place head = place.as(Role::head);
  if (!builder.changes(head)) {
    define_parameter(own_, head, "weight", {vocabulary, features}, builder);
    return;
  }
  LinearSize size_of_layer{features, vocabulary};
  size_of_layer.in_chunks = true;
  layer_ = builder.linear(head, size_of_layer);
}

LanguageHead::LanguageHead(Parameter& weight, const Place& bias, const LayerBuilder& builder)
    : LanguageHead(weight) {
  define_parameter(bias_, bias.as(Role::bias), "bias", {weight.sizes()[0]}, builder);
}

void LanguageHead::list(ParameterList& parameters) {
  if (layer_) layer_->list(parameters);
  if (own_.value.defined()) parameters.push_back(&own_);
  if (bias_.value.defined()) parameters.push_back(&bias_);
}

int64_t LanguageHead::chunk_tokens() const {
  const int64_t fit = chunk_bytes_ / (4 * vocabulary_);
  return fit >= 64 ? fit / 64 * 64 : std::max<int64_t>(fit, 1);
}

// Returns the weight in the dtype of the products, converted once for all chunks. A very large copy is not
// made; then the products convert parts of the weight in every chunk.
at::Tensor LanguageHead::weight_for_products(const Pass& pass) const {
  constexpr int64_t kLargestCopy = int64_t{256} << 20;
  if (layer_) return {};
  const int64_t bytes = weight_.value.numel() * static_cast<int64_t>(c10::elementSize(pass.dtype));
  if (bytes > kLargestCopy) return weight_.value;
  return converted(weight_.value, pass.dtype, pass.workspace, "matmul.weight");
}

// Returns the labels on the device of the products, in one row.
at::Tensor LanguageHead::label_buffer(const Pass& pass, const Targets& targets) const {
  const at::Tensor& labels = targets.labels;
  if (labels.numel() != pass.tokens()) fail("labels", "expected one for each of {} tokens", pass.tokens());
  if (!labels.is_meta()) check_indices(labels, vocabulary_, "labels", /*may_ignore=*/true);
  const at::Tensor buffer = pass.workspace.get(Owner::workspace, "labels", {pass.tokens()}, at::kLong);
  if (!buffer.is_meta()) buffer.view(labels.sizes()).copy_(labels);
  return buffer;
}

void LanguageHead::finish_logits(const at::Tensor& products) const {
  if (bias_.value.defined()) products.add_(bias_.value);
  if (size_.divisor != 1) products.div_(size_.divisor);
  if (size_.soft_cap > 0) products.div_(size_.soft_cap).tanh_().mul_(size_.soft_cap);
}

Pass LanguageHead::chunk_pass(const Pass& pass, int64_t first, int64_t count, Dropout& dropout) const {
  Pass chunk{pass.workspace, pass.dtype, count, 1, pass.prefix};
  chunk.more_follows = first + count < pass.tokens();
  if (!pass.dropout) return chunk;
  dropout = *pass.dropout;
  dropout.place.first_row = dropout.place.first_row * pass.length + first;
  chunk.dropout = &dropout;
  return chunk;
}

Scratch LanguageHead::chunk_logits(const Pass& pass, const at::Tensor& hidden,
                                   const at::Tensor& weight) const {
  Scratch out = pass.scratch("head.logits", {hidden.size(0), vocabulary_});
  if (layer_)
    layer_->forward(pass, hidden, out, Write::replace);
  else
    product_x_wt(out, hidden, weight, Write::replace, pass.workspace);
  finish_logits(out);
  return out;
}

// Computes the hidden states' gradient and reports the weight's, given the gradient of the products.
void LanguageHead::chunk_backward(const Pass& pass, const at::Tensor& logits, const at::Tensor& hidden,
                                  const at::Tensor& weight, const at::Tensor& hidden_gradient) {
  if (layer_) {
    layer_->input_gradient(pass, logits, hidden_gradient, Write::replace);
    return layer_->report_gradient(pass, logits, hidden);
  }
  product_x_w(hidden_gradient, logits, weight, Write::replace, pass.workspace);
  if (!weight_.sink) return;
  weight_.sink->add_product(logits, hidden);
  finish_report(pass, weight_);
}

// Computes the losses and replaces logits by their own gradients.
void LanguageHead::loss_gradient(const Pass& pass, const at::Tensor& losses, const at::Tensor& logits,
                                 const at::Tensor& labels, double gradient_scale) const {
  if (loss_.is_plain()) return cross_entropy(losses, logits, labels, gradient_scale);
  const Scratch shares = pass.scratch("head.shares", logits.sizes());
  smoothed_cross_entropy(losses, logits, labels, gradient_scale, loss_, shares);
}

// Computes the losses and replaces logits by the gradients of the products.
void LanguageHead::logits_gradient(const Pass& pass, const at::Tensor& losses, const at::Tensor& logits,
                                   const at::Tensor& labels, double gradient_scale) const {
  gradient_scale /= size_.divisor;
  if (size_.soft_cap == 0) return loss_gradient(pass, losses, logits, labels, gradient_scale);
  const Scratch slopes = pass.scratch("head.slopes", logits.sizes());
  slopes->copy_(logits).div_(size_.soft_cap).square_().neg_().add_(1);
  loss_gradient(pass, losses, logits, labels, gradient_scale);
  logits.mul_(slopes);
}

void LanguageHead::train_tokens(const Pass& pass, const at::Tensor& hidden, const TokenRows& tokens,
                                double gradient_scale, const at::Tensor& hidden_gradient) {
  const at::Tensor weight = weight_for_products(pass);
  const int64_t all = hidden.size(0), step = chunk_tokens();
  BiasGradient bias(pass, bias_);
  for (int64_t first = 0; first < all; first += step) {
    const int64_t count = std::min(step, all - first);
    Dropout dropout;
    const Pass part = chunk_pass(pass, first, count, dropout);
    const at::Tensor chunk = hidden.narrow(0, first, count);
    const Scratch logits = chunk_logits(part, chunk, weight);
    logits_gradient(part, tokens.losses.narrow(0, first, count), logits,
                    tokens.labels.narrow(0, first, count), gradient_scale);
    if (tokens.weights.defined() && !logits->is_meta())
      logits->mul_(tokens.weights.narrow(0, first, count).unsqueeze(1));
    chunk_backward(part, logits, chunk, weight, hidden_gradient.narrow(0, first, count));
    bias.add(logits);
  }
  bias.report();
}

LossSum LanguageHead::train(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                            double gradient_scale, const at::Tensor& hidden_gradient) {
  if (targets.pairs) return train_pairs(pass, hidden, targets, gradient_scale, hidden_gradient);
  const Scratch losses = loss_buffer(pass);
  const at::Tensor labels = label_buffer(pass, targets);
  train_tokens(pass, hidden, {labels, losses, {}}, gradient_scale, hidden_gradient);
  return sum_losses(losses, labels);
}

// The weight of a token in the gradient depends on all tokens of its pair, so the losses come first.
LossSum LanguageHead::train_pairs(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                                  double gradient_scale, const at::Tensor& hidden_gradient) {
  const Scratch losses = loss_buffer(pass);
  const at::Tensor labels = label_buffer(pass, targets);
  const at::Tensor weights =
      pass.workspace.get(Owner::workspace, "head.token_weights", {pass.tokens()}, at::kFloat);
  compute_losses(pass, hidden, labels, losses);
  LossSum sum;
  if (!losses->is_meta()) {
    const PairLosses pairs = pair_losses(losses->cpu(), labels.cpu(), targets, loss_);
    weights.copy_(at::tensor(at::ArrayRef<float>(pairs.weights)));
    sum = pairs.sum;
  }
  train_tokens(pass, hidden, {labels, losses, weights}, gradient_scale, hidden_gradient);
  return sum;
}

void LanguageHead::compute_losses(const Pass& pass, const at::Tensor& hidden, const at::Tensor& labels,
                                  const at::Tensor& losses) const {
  const at::Tensor weight = weight_for_products(pass);
  const int64_t tokens = hidden.size(0), step = chunk_tokens();
  for (int64_t first = 0; first < tokens; first += step) {
    const int64_t count = std::min(step, tokens - first);
    Dropout dropout;
    const Scratch logits =
        chunk_logits(chunk_pass(pass, first, count, dropout), hidden.narrow(0, first, count), weight);
    cross_entropy_loss(losses.narrow(0, first, count), logits, labels.narrow(0, first, count));
  }
}

LossSum LanguageHead::evaluate(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                               Predictions* out) const {
  const Scratch losses = loss_buffer(pass);
  const at::Tensor labels = label_buffer(pass, targets);
  compute_losses(pass, hidden, labels, losses);
  if (targets.pairs && !hidden.is_meta()) {
    const PairLosses pairs = pair_losses(losses->cpu(), labels.cpu(), targets, loss_);
    if (out) out->readouts = pairs.log_probs, out->losses = at::tensor(pairs.losses, at::kDouble);
    return pairs.sum;
  }
  if (out && !hidden.is_meta()) out->losses = losses->to(at::kCPU, at::kDouble, false, /*copy=*/true);
  return sum_losses(losses, labels);
}

at::Tensor LanguageHead::logits(const Pass& pass, const at::Tensor& hidden) const {
  Dropout dropout;
  const Pass whole = chunk_pass(pass, 0, hidden.size(0), dropout);
  return chunk_logits(whole, hidden, weight_for_products(pass))
      ->to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace galore
