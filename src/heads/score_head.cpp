#include "heads/score_head.h"

#include <ATen/ATen.h>

#include <span>

#include "heads/action_value_loss.h"
#include "heads/value_backup.h"
#include "kernels/matmul.h"
#include "kernels/value_loss.h"
#include "nn/initialize.h"

namespace galore {
namespace {

// Rows of logits on the CPU, for losses that are computed in one order.
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

// Returns the loss of a class or of a number by squared error, and replaces the logits by the gradient.
double label_loss(const HeadConfig& config, std::span<float> logits, double label, double scale) {
  if (config.kind == HeadKind::regression) return squared_error_of(logits, label, scale);
  std::vector<double> probabilities(logits.size());
  probabilities.at(static_cast<size_t>(label)) = 1;
  return cross_entropy_of(logits, probabilities, scale);
}

// Computes the losses of classes, or of pairs by Bradley-Terry. With a scale the logits become scale times
// their gradients.
at::Tensor losses_of(const HeadConfig& config, const at::Tensor& logits, const Targets& targets,
                     std::optional<double> scale) {
  Rows rows(logits.cpu().contiguous());
  std::vector<double> losses;
  const int64_t places = logits.size(0);
  if (targets.pairs) {
    for (int64_t i = 0; i + 1 < places; i += 2)
      losses.push_back(preference_loss_of(config.value, rows.row(i), rows.row(i + 1), scale.value_or(1)));
  } else {
    const at::Tensor values = targets.values.contiguous();
    for (int64_t i = 0; i < places; ++i)
      losses.push_back(
          label_loss(config, rows.row(i), values.const_data_ptr<double>()[i], scale.value_or(1)));
  }
  if (scale) logits.copy_(rows.tensor(logits));
  return at::tensor(losses, at::kDouble);
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

// Returns the mean of each row of targets, which are numbers or distributions over the locations.
at::Tensor means_of(const ValueSupport& support, const at::Tensor& targets) {
  if (targets.size(1) == 1) return targets.select(1, 0).contiguous();
  return at::mv(targets, at::tensor(locations(support), at::kDouble));
}

LossSum sum_of(const at::Tensor& losses, const Targets& targets) {
  LossSum sum;
  for (int64_t i = 0; i < losses.numel(); ++i) sum.loss += losses.const_data_ptr<double>()[i];
  sum.num_tokens = targets.count;
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
  for (Parameter* parameter : own) galore::initialize(*parameter, seed, initializer_range);
  if (config_.has_values()) score_.zero_output();
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

// Returns the outputs of the target network for the batch's transitions, or an undefined tensor.
at::Tensor ScoreHead::target_outputs(const Pass& pass, const at::Tensor& inputs,
                                     const Targets& targets) const {
  if (targets.target_outputs.defined()) return targets.target_outputs;
  if (!target_weight_.defined()) return {};
  const at::Tensor outputs = pass.workspace.get(Owner::workspace, "score.target_outputs",
                                                {inputs.size(0), config_.num_outputs()}, at::kFloat);
  product_x_wt(outputs, inputs, target_weight_, Write::replace, pass.workspace);
  return outputs;
}

at::Tensor ScoreHead::losses(const Pass& pass, const at::Tensor& inputs, const Scratch& logits,
                             const Targets& targets, std::optional<double> gradient_scale,
                             Predictions* out) const {
  // Rows that are scored alone by a head of preferences have no loss.
  const bool is_preference = config_.has_values() && config_.value.loss == ValueLoss::bradley_terry;
  if (is_preference && !targets.pairs && !inputs.is_meta()) return at::zeros({inputs.size(0)}, at::kDouble);
  if (!config_.has_values() || targets.pairs)
    return inputs.is_meta() ? at::Tensor() : losses_of(config_, logits, targets, gradient_scale);
  const at::Tensor next = target_outputs(pass, inputs, targets);
  const at::Tensor sums =
      pass.workspace.get(Owner::workspace, "score.losses", {2, inputs.size(0)}, at::kDouble);
  const ValueLosses results{sums[0], sums[1]};
  if (config_.kind == HeadKind::action_value) {
    ActionValueLoss(in_fp32(pass), config_, {logits, next}, targets).compute(results, gradient_scale, out);
  } else if (!inputs.is_meta()) {
    const at::Tensor values =
        targets.transitions.defined()
            ? backed_up_targets(config_.value, next.cpu(), targets.transitions, targets.backup.steps)
            : targets.values;
    value_loss(results, logits, values.to(inputs.device()).contiguous(), config_.value, gradient_scale);
  }
  if (inputs.is_meta()) return {};
  if (out) out->entropies = results.entropies.to(at::kCPU, at::kDouble, false, /*copy=*/true);
  return results.losses.to(at::kCPU, at::kDouble, false, /*copy=*/true);
}

LossSum ScoreHead::train(const Pass& pass, const at::Tensor& hidden, const Targets& targets,
                         double gradient_scale, const at::Tensor& hidden_gradient) {
  const Pass wide = in_fp32(pass);
  const Scratch inputs = gather(pass, hidden, targets.places), logits = score_.forward(wide, inputs);
  LossSum sum;
  const at::Tensor own = losses(pass, inputs, logits, targets, gradient_scale, nullptr);
  if (own.defined()) sum = sum_of(own, targets);
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
  if (out && out->wants_outputs) {
    out->outputs =
        pass.workspace.get(Owner::workspace, "score.outputs", logits->sizes(), logits->scalar_type());
    if (!hidden.is_meta()) out->outputs.copy_(logits);
    return {};
  }
  const bool keeps = out && !hidden.is_meta();
  if (keeps) out->values = logits->to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  const at::Tensor own = losses(pass, inputs, logits, targets, std::nullopt, out);
  if (!own.defined()) return {};
  if (out && config_.has_values()) out->readouts = read_all(config_.value, out->values);
  if (out && config_.has_values() && !targets.pairs)
    out->target_values = means_of(config_.value, targets.values);
  if (out) out->losses = own;
  return sum_of(own, targets);
}

}  // namespace galore
