#include "heads/masked_head.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "core/labels.h"

namespace galore {

MaskedHead::MaskedHead(const MaskedSize& size, Parameter& table, bool tied, const LayerBuilder& builder)
    : features_(table.sizes()[1]), activation_(find_activation(size.activation)) {
  GALORE_ASSERT(activation_);
  dense_ = builder.linear({size.dense, Role::head}, {features_, features_, /*bias=*/true});
  norm_ = make_norm({size.norm, Role::head}, {features_, size.norm_epsilon, NormKind::layer}, builder);
  if (!tied) define_parameter(decoder_, {size.decoder, Role::head}, "weight", table.sizes(), builder);
  if (tied) table.uses = 2;
  words_.emplace(tied ? table : decoder_, Place{size.bias}, builder);
}

void MaskedHead::list(ParameterList& parameters) {
  ParameterList own;
  dense_->list(own);
  norm_->list(own);
  if (decoder_.value.defined()) own.push_back(&decoder_);
  words_->list(own);
  for (Parameter* parameter : own) parameter->of_new_head = true;
  parameters.insert(parameters.end(), own.begin(), own.end());
}

MaskedHead::Chosen MaskedHead::choose(const Pass& pass, const Targets& targets) const {
  Chosen chosen{{}, targets, pass};
  if (targets.labels.numel() != pass.tokens())
    fail("labels", "expected one for each of {} tokens", pass.tokens());
  chosen.pass.dropout = nullptr;
  if (targets.labels.is_meta()) return chosen;
  const at::Tensor labels = targets.labels.reshape({-1});
  chosen.places = labels.ne(kIgnoredLabel).nonzero().view({-1});
  if (chosen.places.numel() == 0) chosen.places = at::zeros({1}, at::kLong);
  chosen.targets.labels = labels.index_select(0, chosen.places).unsqueeze(0);
  chosen.pass.rows = 1;
  chosen.pass.length = chosen.places.numel();
  return chosen;
}

at::Tensor MaskedHead::buffer(const Pass& pass, const char* name) const {
  return pass.workspace.get(Owner::workspace, name, {pass.tokens(), features_}, pass.dtype);
}

at::Tensor MaskedHead::statistics(const Pass& pass) const {
  return norm_->statistics(pass, "masked.statistics", pass.tokens());
}

Scratch MaskedHead::gather(const Chosen& chosen, const at::Tensor& hidden) const {
  Scratch inputs = chosen.pass.scratch("masked.inputs", {chosen.pass.tokens(), features_});
  at::Tensor rows = *inputs;
  if (chosen.places.defined()) at::index_select_out(rows, hidden, 0, chosen.places.to(hidden.device()));
  return inputs;
}

Scratch MaskedHead::transform(const Pass& pass, const at::Tensor& inputs) const {
  const at::Tensor before = buffer(pass, "masked.dense"), after = buffer(pass, "masked.activated");
  dense_->forward(pass, inputs, before, Write::replace);
  activate(after, before, *activation_);
  Scratch out = pass.scratch("masked.out", inputs.sizes());
  norm_->forward(pass, after, out, statistics(pass));
  return out;
}

void MaskedHead::transform_backward(const Pass& pass, const at::Tensor& inputs, const at::Tensor& gradient,
                                    const at::Tensor& input_gradient) {
  const at::Tensor before = buffer(pass, "masked.dense"), after = buffer(pass, "masked.activated");
  const Scratch above = pass.scratch("masked.activated_gradient", inputs.sizes());
  above->zero_();
  norm_->backward(pass, gradient, above, after, statistics(pass));
  activate_backward(before, above, *activation_);
  dense_->input_gradient(pass, before, input_gradient, Write::replace);
  dense_->report_gradient(pass, before, inputs);
}

LossSum MaskedHead::train(const Pass& given, const at::Tensor& hidden, const Targets& targets,
                          double gradient_scale, const at::Tensor& hidden_gradient) {
  const Chosen chosen = choose(given, targets);
  const Scratch inputs = gather(chosen, hidden), out = transform(chosen.pass, inputs);
  const Scratch gradient = chosen.pass.scratch("masked.gradient", inputs->sizes());
  const LossSum sum = words_->train(chosen.pass, out, chosen.targets, gradient_scale, gradient);
  const Scratch input_gradient = chosen.pass.scratch("masked.input_gradient", inputs->sizes());
  transform_backward(chosen.pass, inputs, gradient, input_gradient);
  if (!chosen.places.defined()) return sum;
  hidden_gradient.zero_();
  hidden_gradient.index_copy_(0, chosen.places.to(hidden.device()), input_gradient);
  return sum;
}

LossSum MaskedHead::evaluate(const Pass& given, const at::Tensor& hidden, const Targets& targets,
                             Predictions* out) const {
  const Chosen chosen = choose(given, targets);
  const Scratch inputs = gather(chosen, hidden), words = transform(chosen.pass, inputs);
  const LossSum sum = words_->evaluate(chosen.pass, words, chosen.targets, out);
  if (out && out->losses.defined())
    out->losses = at::zeros({given.tokens()}, at::kDouble).index_copy_(0, chosen.places, out->losses);
  return sum;
}

}  // namespace galore
