#include "nn/transformer_layer.h"

#include "kernels/convert.h"

namespace galore {

TransformerLayer::TransformerLayer(const Place& place, const LayerSize& size, const LayerBuilder& builder)
    : size_(size), attention_(place, size.attention, builder), mlp_(make_mlp(place, size.mlp, builder)) {
  const NormSize norm{size.attention.hidden, size.norm_epsilon, size.norm};
  input_norm_ = make_norm(place.at(size.input_norm), norm, builder);
  middle_norm_ = make_norm(place.at(size.middle_norm), norm, builder);
}

void TransformerLayer::forward_attention(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                                         const at::Tensor& middle, const at::Tensor& normalized) {
  input_norm_->forward(pass, x, normalized, input_norm_->statistics(pass, "input_statistics", pass.tokens()));
  convert(middle, x);
  attention_.forward(pass, tables, normalized, middle);
  middle_norm_->forward(pass, middle, normalized,
                        middle_norm_->statistics(pass, "middle_statistics", pass.tokens()));
}

void TransformerLayer::forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                               const at::Tensor& out) {
  const at::Tensor middle = pass.saved("middle", x.sizes());
  const Scratch normalized = normalized_buffer(pass, x.size(1));
  forward_attention(pass, tables, x, middle, normalized);
  convert(out, middle);
  mlp_->forward(pass, normalized, out);
}

void TransformerLayer::recompute(const Pass& pass, const RotaryTables& tables, const at::Tensor& x) {
  const Scratch normalized = normalized_buffer(pass, x.size(1));
  forward_attention(pass, tables, x, pass.saved("middle", x.sizes()), normalized);
  mlp_->forward_inputs(pass, normalized);
}

void TransformerLayer::backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                                const at::Tensor& gradient) {
  const Scratch normalized = normalized_buffer(pass, x.size(1));
  const Scratch normalized_gradient = normalized_gradient_buffer(pass, x.size(1));
  const at::Tensor middle = pass.saved("middle", x.sizes());
  const at::Tensor middle_statistics = middle_norm_->statistics(pass, "middle_statistics", pass.tokens());
  const at::Tensor input_statistics = input_norm_->statistics(pass, "input_statistics", pass.tokens());

  mlp_->backward(pass, gradient, normalized_gradient);
  middle_norm_->recompute_output(pass, middle, normalized, middle_statistics);
  mlp_->report_inputs(pass, normalized);
  middle_norm_->backward(pass, normalized_gradient, gradient, middle, middle_statistics);

  const auto inputs = attention_.backward(pass, tables, gradient, normalized_gradient);
  input_norm_->recompute_output(pass, x, normalized, input_statistics);
  attention_.report_inputs(pass, inputs, normalized);
  input_norm_->backward(pass, normalized_gradient, gradient, x, input_statistics);
}

void TransformerLayer::forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream,
                                      const KeysAndValues& cache) {
  const Scratch normalized = normalized_buffer(pass, stream.size(1));
  const at::Tensor statistics = input_norm_->statistics(pass, "input_statistics", pass.tokens());
  input_norm_->forward(pass, stream, normalized, statistics);
  attention_.forward_cached(pass, tables, normalized, stream, cache);
  middle_norm_->forward(pass, stream, normalized, statistics);
  mlp_->forward(pass, normalized, stream);
}

void TransformerLayer::list(ParameterList& parameters) {
  attention_.list(parameters);
  mlp_->list(parameters);
  input_norm_->list(parameters);
  middle_norm_->list(parameters);
}

}  // namespace galore
