#include "nn/transformer_layer.h"

#include "kernels/convert.h"

namespace galore {
namespace {

// Returns the place of the layer before: "encoder.layer.2" becomes "encoder.layer.1".
Place before(const Place& place) {
  const std::string list = place.name.substr(0, place.name.rfind('.') + 1);
  return {list + std::to_string(place.layer - 1), place.role, place.layer - 1};
}

}  // namespace

TransformerLayer::TransformerLayer(const Place& place, const LayerSize& size, const LayerBuilder& builder)
    : size_(size), attention_(place, size.attention, builder), mlp_(make_mlp(place, size.mlp, builder)) {
  const auto norm = [&](const Place& owner, const std::string& name) {
    const NormKind kind = name.empty() ? NormKind::none : size.norm;
    return make_norm(owner.at(name), {size.attention.hidden, size.norm_epsilon, kind}, builder);
  };
  input_norm_ = norm(size.adds_to_norm ? before(place) : place, size.input_norm);
  middle_norm_ = norm(place, size.middle_norm);
}

void TransformerLayer::forward_attention(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                                         const at::Tensor& middle, const at::Tensor& normalized) {
  input_norm_->forward(pass, x, normalized, input_norm_->statistics(pass, "input_statistics", pass.tokens()));
  convert(middle, size_.adds_to_norm ? normalized : x);
  attention_.forward(pass, tables, normalized, middle);
  middle_norm_->forward(pass, second_input(x, middle), normalized,
                        middle_norm_->statistics(pass, "middle_statistics", pass.tokens()));
}

void TransformerLayer::forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                               const at::Tensor& out) {
  const at::Tensor middle = pass.saved("middle", x.sizes());
  const Scratch normalized = normalized_buffer(pass, x.size(1));
  forward_attention(pass, tables, x, middle, normalized);
  convert(out, size_.adds_to_norm ? *normalized : middle);
  mlp_->forward(pass, normalized, out);
}

void TransformerLayer::recompute(const Pass& pass, const RotaryTables& tables, const at::Tensor& x) {
  const Scratch normalized = normalized_buffer(pass, x.size(1));
  forward_attention(pass, tables, x, pass.saved("middle", x.sizes()), normalized);
  mlp_->forward_inputs(pass, normalized);
}

void TransformerLayer::backward_mlp(const Pass& pass, const at::Tensor& second, const at::Tensor& gradient,
                                    const at::Tensor& normalized_gradient) {
  const Scratch normalized = normalized_buffer(pass, second.size(1));
  mlp_->backward(pass, gradient, normalized_gradient);
  middle_norm_->recompute_output(pass, second, normalized,
                                 middle_norm_->statistics(pass, "middle_statistics", pass.tokens()));
  mlp_->report_inputs(pass, normalized);
}

void TransformerLayer::backward_attention(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                                          const at::Tensor& gradient, const at::Tensor& normalized_gradient) {
  const Scratch normalized = normalized_buffer(pass, x.size(1));
  const auto inputs = attention_.backward(pass, tables, gradient, normalized_gradient);
  input_norm_->recompute_output(pass, x, normalized,
                                input_norm_->statistics(pass, "input_statistics", pass.tokens()));
  attention_.report_inputs(pass, inputs, normalized);
}

void TransformerLayer::backward_norm(const Pass& pass, Norm& norm, const at::Tensor& normalized_gradient,
                                     const at::Tensor& gradient, const at::Tensor& x,
                                     const at::Tensor& statistics) const {
  if (size_.adds_to_norm) {
    normalized_gradient.add_(gradient);
    gradient.zero_();
  }
  norm.backward(pass, normalized_gradient, gradient, x, statistics);
}

void TransformerLayer::backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& x,
                                const at::Tensor& gradient) {
  const Scratch normalized_gradient = normalized_gradient_buffer(pass, x.size(1));
  const at::Tensor second = second_input(x, pass.saved("middle", x.sizes()));
  const at::Tensor middle_statistics = middle_norm_->statistics(pass, "middle_statistics", pass.tokens());
  const at::Tensor input_statistics = input_norm_->statistics(pass, "input_statistics", pass.tokens());
  backward_mlp(pass, second, gradient, normalized_gradient);
  if (!size_.parallel) {
    backward_norm(pass, *middle_norm_, normalized_gradient, gradient, second, middle_statistics);
    backward_attention(pass, tables, x, gradient, normalized_gradient);
    return backward_norm(pass, *input_norm_, normalized_gradient, gradient, x, input_statistics);
  }
  // Both branches read the gradient of the stream before either norm adds to it.
  const Scratch of_attention = pass.scratch("layer.attention_input_gradient", x.sizes());
  backward_attention(pass, tables, x, gradient, of_attention);
  middle_norm_->backward(pass, normalized_gradient, gradient, second, middle_statistics);
  input_norm_->backward(pass, of_attention, gradient, x, input_statistics);
}

void TransformerLayer::forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream,
                                      const KeysAndValues& cache) {
  const Scratch normalized = normalized_buffer(pass, stream.size(1));
  const at::Tensor statistics = input_norm_->statistics(pass, "input_statistics", pass.tokens());
  input_norm_->forward(pass, stream, normalized, statistics);
  if (size_.parallel) {
    const Scratch second = normalized_gradient_buffer(pass, stream.size(1));
    middle_norm_->forward(pass, stream, second, statistics);
    attention_.forward_cached(pass, tables, normalized, stream, cache);
    return mlp_->forward(pass, second, stream);
  }
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
