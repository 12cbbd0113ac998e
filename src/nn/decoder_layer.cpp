#include "nn/decoder_layer.h"

#include "kernels/convert.h"

namespace galore {

DecoderLayer::DecoderLayer(const std::string& name, const DecoderSize& size, const WeightSpace& space)
    : size_(size),
      attention_(name + "." + size.names.attention, size.attention, space),
      mlp_(make_mlp(name + "." + size.names.mlp, size.mlp, space)) {
  const NormSize norm{size.attention.hidden, size.norm_epsilon, size.norm};
  input_norm_ = make_norm(name + "." + size.names.input_norm, norm, space);
  middle_norm_ = make_norm(name + "." + size.names.middle_norm, norm, space);
}

void DecoderLayer::forward_attention(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                                     const at::Tensor& middle) {
  const at::Tensor normalized = scratch(pass, "layer.normalized");
  input_norm_->forward(pass, x, normalized, input_norm_->statistics(pass, "input_statistics", pass.tokens()));
  convert(middle, x);
  attention_.forward(pass, tables, normalized, middle);
  middle_norm_->forward(pass, middle, normalized,
                        middle_norm_->statistics(pass, "middle_statistics", pass.tokens()));
}

void DecoderLayer::forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                           const at::Tensor& out) {
  const at::Tensor middle = pass.saved("middle", x.sizes());
  forward_attention(pass, tables, x, middle);
  convert(out, middle);
  mlp_->forward(pass, scratch(pass, "layer.normalized"), out);
}

void DecoderLayer::recompute(const Pass& pass, const RotaryTables& tables, const at::Tensor& x) {
  forward_attention(pass, tables, x, pass.saved("middle", x.sizes()));
  mlp_->forward_inputs(pass, scratch(pass, "layer.normalized"));
}

void DecoderLayer::backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                            const at::Tensor& gradient) {
  const at::Tensor normalized = scratch(pass, "layer.normalized");
  const at::Tensor normalized_gradient = scratch(pass, "layer.normalized_gradient");
  const at::Tensor middle = pass.saved("middle", x.sizes());
  const at::Tensor middle_statistics = middle_norm_->statistics(pass, "middle_statistics", pass.tokens());
  const at::Tensor input_statistics = input_norm_->statistics(pass, "input_statistics", pass.tokens());

  mlp_->backward(pass, gradient, normalized_gradient);
  middle_norm_->again(pass, middle, normalized, middle_statistics);
  mlp_->report_inputs(pass, normalized);
  middle_norm_->backward(pass, normalized_gradient, gradient, middle, middle_statistics);

  attention_.backward(pass, tables, gradient, normalized_gradient);
  input_norm_->again(pass, x, normalized, input_statistics);
  attention_.report_inputs(pass, normalized);
  input_norm_->backward(pass, normalized_gradient, gradient, x, input_statistics);
}

void DecoderLayer::forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream,
                                  const KeysAndValues& cache) {
  const at::Tensor normalized = scratch(pass, "layer.normalized");
  const at::Tensor statistics = input_norm_->statistics(pass, "input_statistics", pass.tokens());
  input_norm_->forward(pass, stream, normalized, statistics);
  attention_.forward_cached(pass, tables, normalized, stream, cache);
  middle_norm_->forward(pass, stream, normalized, statistics);
  mlp_->forward(pass, normalized, stream);
}

void DecoderLayer::list(ParameterList& parameters) {
  attention_.list(parameters);
  mlp_->list(parameters);
  input_norm_->list(parameters);
  middle_norm_->list(parameters);
}

}  // namespace galore
