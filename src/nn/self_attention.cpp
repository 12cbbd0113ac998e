#include "nn/self_attention.h"

#include "kernels/rotary.h"

namespace galore {
namespace {

// B x T x heads x D as a matrix of tokens.
at::Tensor flat(const at::Tensor& x) { return x.view({x.size(0) * x.size(1), x.size(2) * x.size(3)}); }

}  // namespace

SelfAttention::SelfAttention(const std::string& name, const AttentionSize& size, const WeightSpace& space)
    : size_(size),
      query_(name + ".q_proj", {size.hidden, size.heads * size.head_dim, size.bias}, space),
      key_(name + ".k_proj", {size.hidden, size.key_heads * size.head_dim, size.bias}, space),
      value_(name + ".v_proj", {size.hidden, size.key_heads * size.head_dim, size.bias}, space),
      output_(name + ".o_proj", {size.heads * size.head_dim, size.hidden, size.bias}, space) {}

AttentionTensors SelfAttention::saved(const Pass& pass) const {
  const int64_t rows = pass.rows, length = pass.length, dim = size_.head_dim;
  return {pass.saved("query", {rows, length, size_.heads, dim}),
          pass.saved("key", {rows, length, size_.key_heads, dim}),
          pass.saved("value", {rows, length, size_.key_heads, dim}),
          pass.saved("attention", {rows, length, size_.heads, dim}),
          pass.saved_statistics("logsumexp", {rows, size_.heads, length})};
}

AttentionGradients SelfAttention::gradients(const Pass& pass) const {
  const int64_t rows = pass.rows, length = pass.length, dim = size_.head_dim;
  return {pass.scratch("attention.query_gradient", {rows, length, size_.heads, dim}),
          pass.scratch("attention.key_gradient", {rows, length, size_.key_heads, dim}),
          pass.scratch("attention.value_gradient", {rows, length, size_.key_heads, dim})};
}

void SelfAttention::project_and_rotate(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                                       const AttentionTensors& tensors) {
  query_.forward(pass, input, flat(tensors.query));
  key_.forward(pass, input, flat(tensors.key));
  value_.forward(pass, input, flat(tensors.value));
  rotate(tensors.query, tables.cosine, tables.sine, false);
  rotate(tensors.key, tables.cosine, tables.sine, false);
}

void SelfAttention::forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                            const at::Tensor& stream) {
  const AttentionTensors tensors = saved(pass);
  project_and_rotate(pass, tables, input, tensors);
  attention(tensors, pass.workspace);
  output_.forward_add(pass, flat(tensors.out), stream);
}

void SelfAttention::forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                                   const at::Tensor& stream, const KeysAndValues& cache) {
  const int64_t count = pass.length, first = cache.key.size(0) - count;
  AttentionTensors tensors = saved(pass);
  tensors.key = cache.key.narrow(0, first, count).unsqueeze(0);
  tensors.value = cache.value.narrow(0, first, count).unsqueeze(0);
  project_and_rotate(pass, tables, input, tensors);
  attention_cached(tensors.out.squeeze(0), tensors.query.squeeze(0), cache.key, cache.value);
  output_.forward_add(pass, flat(tensors.out), stream);
}

void SelfAttention::backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream_gradient,
                             const at::Tensor& input_gradient) {
  const AttentionTensors tensors = saved(pass);
  const AttentionGradients gradient = gradients(pass);
  const at::Tensor out_gradient = pass.scratch("attention.out_gradient", tensors.out.sizes());
  output_.input_gradient(pass, stream_gradient, flat(out_gradient), Write::replace);
  output_.report(pass, stream_gradient, flat(tensors.out));
  attention_backward(gradient, out_gradient, tensors, pass.workspace);
  rotate(gradient.query, tables.cosine, tables.sine, true);
  rotate(gradient.key, tables.cosine, tables.sine, true);
  query_.input_gradient(pass, flat(gradient.query), input_gradient, Write::replace);
  key_.input_gradient(pass, flat(gradient.key), input_gradient, Write::accumulate);
  value_.input_gradient(pass, flat(gradient.value), input_gradient, Write::accumulate);
}

void SelfAttention::report_inputs(const Pass& pass, const at::Tensor& input) {
  const AttentionGradients gradient = gradients(pass);
  query_.report(pass, flat(gradient.query), input);
  key_.report(pass, flat(gradient.key), input);
  value_.report(pass, flat(gradient.value), input);
}

void SelfAttention::list(ParameterList& parameters) {
  for (Linear* linear : {&query_, &key_, &value_, &output_}) linear->list(parameters);
}

}  // namespace galore
