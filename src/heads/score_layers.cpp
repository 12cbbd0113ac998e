#include "heads/score_layers.h"

#include "core/errors.h"

namespace galore {

ScoreLayers::ScoreLayers(ScoreSize size, int64_t features, int64_t outputs, const LayerBuilder& builder)
    : size_(std::move(size)),
      outputs_(outputs),
      output_(builder.linear({size_.output, Role::head}, {features, outputs, size_.bias})) {
  if (size_.dense.empty()) return;
  dense_ = builder.linear({size_.dense, Role::head}, {features, features, /*bias=*/true});
  activation_ = find_activation(size_.activation);
  GALORE_ASSERT(activation_);
}

void ScoreLayers::drop(const Pass& pass, const at::Tensor& x, const std::string& name) const {
  if (!size_.has_dropout || !pass.dropout || pass.dropout->head == 0) return;
  dropout(x, x, pass.dropout->mask(pass.dropout->head, name), pass.dropout->place.first_row, Write::replace);
}

at::Tensor ScoreLayers::buffer(const Pass& pass, const char* name, const at::Tensor& like) const {
  return pass.workspace.get(Owner::workspace, name, like.sizes(), at::kFloat);
}

Scratch ScoreLayers::forward(const Pass& pass, const at::Tensor& inputs) const {
  Scratch logits = pass.scratch("score.logits", {inputs.size(0), outputs_});
  at::Tensor last = inputs;
  if (dense_) {
    if (size_.drops_inputs) drop(pass, inputs, size_.dense);
    const at::Tensor before = buffer(pass, "score.dense", inputs);
    last = buffer(pass, "score.activated", inputs);
    dense_->forward(pass, inputs, before, Write::replace);
    activate(last, before, *activation_);
  }
  drop(pass, last, size_.output);
  output_->forward(pass, last, logits, Write::replace);
  return logits;
}

void ScoreLayers::backward(const Pass& pass, const at::Tensor& inputs, const at::Tensor& logits_gradient,
                           const at::Tensor& input_gradient) {
  const at::Tensor last = dense_ ? buffer(pass, "score.activated", inputs) : inputs;
  output_->input_gradient(pass, logits_gradient, input_gradient, Write::replace);
  output_->report_gradient(pass, logits_gradient, last);
  drop(pass, input_gradient, size_.output);
  if (!dense_) return;
  const at::Tensor before = buffer(pass, "score.dense", inputs);
  activate_backward(before, input_gradient, *activation_);
  dense_->input_gradient(pass, before, input_gradient, Write::replace);
  dense_->report_gradient(pass, before, inputs);
  if (size_.drops_inputs) drop(pass, input_gradient, size_.dense);
}

void ScoreLayers::zero_output() {
  ParameterList own;
  output_->list(own);
  for (Parameter* parameter : own)
    if (parameter->value.defined()) parameter->value.zero_();
}

void ScoreLayers::list(ParameterList& parameters) {
  ParameterList own;
  if (dense_) dense_->list(own);
  output_->list(own);
  for (Parameter* parameter : own) parameter->of_new_head = true;
  parameters.insert(parameters.end(), own.begin(), own.end());
}

}  // namespace galore
