#include "nn/decoder_layer.h"

#include "kernels/convert.h"

namespace galore {

DecoderLayer::DecoderLayer(const std::string& name, const DecoderSize& size, const WeightSpace& space)
    : size_(size),
      attention_(name + ".self_attn", size.attention, space),
      mlp_(name + ".mlp", size.mlp, space),
      input_norm_(name + ".input_layernorm", size.attention.hidden, size.norm_epsilon, space),
      middle_norm_(name + ".post_attention_layernorm", size.attention.hidden, size.norm_epsilon, space) {}

void DecoderLayer::forward_attention(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                                     const at::Tensor& middle) {
  const at::Tensor normalized = scratch(pass, "layer.normalized");
  input_norm_.forward(pass, x, normalized, pass.saved_statistics("input_inverse_rms", {pass.tokens()}));
  convert(middle, x);
  attention_.forward(pass, tables, normalized, middle);
  middle_norm_.forward(pass, middle, normalized,
                       pass.saved_statistics("middle_inverse_rms", {pass.tokens()}));
}

void DecoderLayer::forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                           const at::Tensor& out) {
  const at::Tensor middle = pass.saved("middle", x.sizes());
  forward_attention(pass, tables, x, middle);
  convert(out, middle);
  mlp_.forward(pass, scratch(pass, "layer.normalized"), out);
}

void DecoderLayer::recompute(const Pass& pass, const RotaryTables& tables, const at::Tensor& x) {
  forward_attention(pass, tables, x, pass.saved("middle", x.sizes()));
  mlp_.forward_inputs(pass, scratch(pass, "layer.normalized"));
}

void DecoderLayer::backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                            const at::Tensor& gradient) {
  const at::Tensor normalized = scratch(pass, "layer.normalized");
  const at::Tensor normalized_gradient = scratch(pass, "layer.normalized_gradient");
  const at::Tensor middle = pass.saved("middle", x.sizes());
  const at::Tensor middle_rms = pass.saved_statistics("middle_inverse_rms", {pass.tokens()});
  const at::Tensor input_rms = pass.saved_statistics("input_inverse_rms", {pass.tokens()});

  mlp_.backward(pass, gradient, normalized_gradient);
  middle_norm_.again(pass, middle, normalized, middle_rms);
  mlp_.report_inputs(pass, normalized);
  middle_norm_.backward(pass, normalized_gradient, gradient, middle, middle_rms);

  attention_.backward(pass, tables, gradient, normalized_gradient);
  input_norm_.again(pass, x, normalized, input_rms);
  attention_.report_inputs(pass, normalized);
  input_norm_.backward(pass, normalized_gradient, gradient, x, input_rms);
}

void DecoderLayer::forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream,
                                  const KeysAndValues& cache) {
  const at::Tensor normalized = scratch(pass, "layer.normalized");
  const at::Tensor inverse_rms = pass.saved_statistics("input_inverse_rms", {pass.tokens()});
  input_norm_.forward(pass, stream, normalized, inverse_rms);
  attention_.forward_cached(pass, tables, normalized, stream, cache);
  middle_norm_.forward(pass, stream, normalized, inverse_rms);
  mlp_.forward(pass, normalized, stream);
}

void DecoderLayer::list(ParameterList& parameters) {
  attention_.list(parameters);
  mlp_.list(parameters);
  input_norm_.list(parameters);
  middle_norm_.list(parameters);
}

}  // namespace galore
