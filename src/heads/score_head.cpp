#include "heads/score_head.h"

#include <ATen/ATen.h>

#include <span>

#include "core/errors.h"
#include "nn/initialize.h"

namespace galore {
namespace {

// The logits are few, so their losses are computed on the CPU in one order.
class Rows {
 public:
  explicit Rows(const at::Tensor& logits)
      : values_(logits.const_data_ptr<float>(), logits.const_data_ptr<float>() + logits.numel()),
        width_(static_cast<size_t>(logits.size(1))) {}

  std::span<float> row(int64_t index) {
    return {values_.data() + static_cast<size_t>(index) * width_, width_};
  }
  at::Tensor tensor(const at::Tensor& like) {
    return at::from_blob(values_.data(), like.sizes(), at::kFloat).to(like.device());
  }

 private:
  std::vector<float> values_;
  size_t width_;
};

// Returns the loss of one place whose target is a row of `values`, and replaces the logits by the gradient.
double place_loss(const HeadConfig& config, std::span<float> logits, std::span<const double> target,
                  double scale) {
  const bool is_number = config.kind == HeadKind::regression ||
                         (config.kind == HeadKind::value && config.value.loss == ValueLoss::mse);
  if (is_number) return squared_error_of(logits, target[0], scale);
  if (config.kind == HeadKind::value && target.size() == logits.size())
    return cross_entropy_of(logits, target, scale);
  std::vector<double> probabilities(logits.size());
  if (config.kind == HeadKind::value)
    target_of(config.value, target[0], probabilities);
  else
    probabilities.at(static_cast<size_t>(target[0])) = 1;
  return cross_entropy_of(logits, probabilities, scale);
}

// Returns the losses and replaces `logits` (N x k, fp32) by scale times their gradients.
std::vector<double> losses_of(const HeadConfig& config, const at::Tensor& logits, const Targets& targets,
                              double scale) {
  Rows rows(logits.cpu().contiguous());
  std::vector<double> losses;
  const int64_t places = logits.size(0);
  if (targets.pairs) {
    for (int64_t i = 0; i + 1 < places; i += 2)
      losses.push_back(preference_loss_of(config.value, rows.row(i), rows.row(i + 1), scale));
  } else {
    const at::Tensor values = targets.values.contiguous();
    const auto width = static_cast<size_t>(values.size(1));
    const double* value = values.const_data_ptr<double>();
    for (int64_t i = 0; i < places; ++i)
      losses.push_back(
          place_loss(config, rows.row(i), {value + static_cast<size_t>(i) * width, width}, scale));
  }
  logits.copy_(rows.tensor(logits));
  return losses;
}

// Returns the value and the standard deviation of each row of logits (N x 2, fp64).
at::Tensor read_all(const ValueSupport& support, const at::Tensor& logits) {
  Rows rows(logits);
  const at::Tensor readouts = at::empty({logits.size(0), 2}, at::kDouble);
  double* out = readouts.mutable_data_ptr<double>();
  for (int64_t i = 0; i < logits.size(0); ++i) {
    const ValueReadout read = read_out(support, rows.row(i));
    *out++ = read.value;
    *out++ = read.deviation;
  }
  return readouts;
}

LossSum sum_of(const std::vector<double>& losses) {
  LossSum sum;
  for (const double loss : losses) sum.loss += loss;
  sum.num_tokens = static_cast<int64_t>(losses.size());
  return sum;
}

Pass in_fp32(const Pass& pass) {
  Pass wide = pass;
  wide.dtype = at::kFloat;
  return wide;
}

}  // namespace

ScoreHead::ScoreHead(HeadConfig config, int64_t features, const LayerBuilder& builder, const ScoreSize& size)
    : config_(std::move(config)),
      features_(features),
      score_(size, features, config_.num_outputs(), builder) {}

void ScoreHead::initialize(uint64_t seed, double initializer_range) {
  ParameterList own;
  list(own);
  for (Parameter* parameter : own)
    if (config_.kind == HeadKind::value && parameter->value.defined())
      parameter->value.zero_();
    else
      galore::initialize(*parameter, seed, initializer_range);
}

// Returns the hidden states of the places in fp32 (N x n).
Scratch ScoreHead::gather(const Pass& pass, const at::Tensor& hidden, const at::Tensor& places) const {
  Scratch chosen = pass.scratch("score.hidden", {places.size(0), features_});
  Scratch inputs = in_fp32(pass).scratch("score.inputs", {places.size(0), features_});
  if (hidden.is_meta()) return inputs;
  at::Tensor rows = *chosen;
  at::index_select_out(rows, hidden, 0, places.to(hidden.device()));
  inputs->copy_(rows);
  return inputs;
}

LossSum ScoreHead::train(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                         double gradient_scale, const at::Tensor& hidden_gradient) {
  const Pass wide = in_fp32(pass);
  const Scratch inputs = gather(pass, hidden, targets.places), logits = score_.forward(wide, inputs);
  LossSum sum;
  if (!hidden.is_meta()) sum = sum_of(losses_of(config_, logits, targets, gradient_scale));
  const Scratch gradient = wide.scratch("score.gradient", inputs->sizes());
  score_.backward(wide, inputs, logits, gradient);
  if (!hidden.is_meta()) {
    hidden_gradient.zero_();
    hidden_gradient.index_add_(0, targets.places.to(hidden.device()), gradient->to(hidden_gradient.dtype()));
  }
  return sum;
}

LossSum ScoreHead::evaluate(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                            Predictions* out) const {
  const Scratch inputs = gather(pass, hidden, targets.places);
  const Scratch logits = score_.forward(in_fp32(pass), inputs);
  if (hidden.is_meta()) return {};
  if (out) out->values = logits->to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  if (out && config_.kind == HeadKind::value) out->readouts = read_all(config_.value, out->values);
  const std::vector<double> losses = losses_of(config_, logits, targets, 1);
  if (out) out->losses = at::tensor(losses, at::kDouble);
  return sum_of(losses);
}

}  // namespace galore
