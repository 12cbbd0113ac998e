#include "nn/self_attention.h"

#include "kernels/rotary.h"
#include "nn/residual.h"

namespace galore {
namespace {

// B x T x heads x D as a matrix of heads: what a head's norm works on.
at::Tensor as_heads(const at::Tensor& x) { return x.view({-1, x.size(3)}); }

struct HeadNorm {
  Norm& norm;
  at::Tensor x, statistics;
};

HeadNorm head_norm(const Pass& pass, Norm& norm, const at::Tensor& x, const char* name) {
  const at::Tensor heads = as_heads(x);
  return {norm, heads, norm.statistics(pass, name, heads.size(0))};
}

}  // namespace

SelfAttention::SelfAttention(const std::string& name, const AttentionSize& size, const WeightSpace& space)
    : size_(size),
      inputs_(make_attention_inputs(name, size, space)),
      output_(name + (size.fused ? ".c_proj" : ".o_proj"),
              {size.heads * size.head_dim, size.hidden, size.output_bias, size.fused}, space) {
  if (!size.head_norms) return;
  query_norm_ = make_norm(name + ".q_norm", {size.head_dim, size.norm_epsilon}, space);
  key_norm_ = make_norm(name + ".k_norm", {size.head_dim, size.norm_epsilon}, space);
}

Projections SelfAttention::projected(const Pass& pass) const {
  const int64_t rows = pass.rows, length = pass.length, dim = size_.head_dim;
  return {pass.saved("query", {rows, length, size_.heads, dim}),
          pass.saved("key", {rows, length, size_.key_heads, dim}),
          pass.saved("value", {rows, length, size_.key_heads, dim})};
}

AttentionTensors SelfAttention::attention_tensors(const Pass& pass) const {
  const Projections from = projected(pass);
  const auto or_normalized = [&](const at::Tensor& x, const char* name) {
    return size_.head_norms ? pass.scratch(name, x.sizes()) : x;
  };
  AttentionTensors tensors{or_normalized(from.query, "attention.query"),
                           or_normalized(from.key, "attention.key"),
                           from.value,
                           pass.saved("attention", from.query.sizes()),
                           pass.saved_statistics("logsumexp", {pass.rows, size_.heads, pass.length}),
                           size_.window};
  if (pass.dropout && pass.dropout->attention > 0) {
    tensors.dropout = pass.dropout->mask(pass.dropout->attention, output_.weight().name + " attention");
    tensors.first_row = pass.dropout->place.first_row;
  }
  return tensors;
}

Projections SelfAttention::gradients(const Pass& pass, const std::string& name) const {
  const int64_t rows = pass.rows, length = pass.length, dim = size_.head_dim;
  return {pass.scratch("attention." + name + "query_gradient", {rows, length, size_.heads, dim}),
          pass.scratch("attention." + name + "key_gradient", {rows, length, size_.key_heads, dim}),
          pass.scratch("attention.value_gradient", {rows, length, size_.key_heads, dim})};
}

void SelfAttention::normalize(const Pass& pass, const Projections& from, const AttentionTensors& to,
                              bool computed_before) {
  if (!size_.head_norms) return;
  const auto apply = [&](const HeadNorm& head, const at::Tensor& out) {
    computed_before ? head.norm.again(pass, head.x, as_heads(out), head.statistics)
                    : head.norm.forward(pass, head.x, as_heads(out), head.statistics);
  };
  apply(head_norm(pass, *query_norm_, from.query, "query_statistics"), to.query);
  apply(head_norm(pass, *key_norm_, from.key, "key_statistics"), to.key);
}

void SelfAttention::rotate_heads(const Projections& heads, const RotaryTables& tables, bool inverse) const {
  if (!tables.cosine.defined()) return;
  rotate(heads.query, tables.cosine, tables.sine, inverse);
  rotate(heads.key, tables.cosine, tables.sine, inverse);
}

void SelfAttention::forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                            const at::Tensor& stream) {
  const Projections from = projected(pass);
  const AttentionTensors tensors = attention_tensors(pass);
  inputs_->forward(pass, input, from);
  normalize(pass, from, tensors, false);
  rotate_heads({tensors.query, tensors.key, {}}, tables, false);
  attention(tensors, pass.workspace);
  add_branch(pass, output_, as_tokens(tensors.out), stream);
}

void SelfAttention::forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                                   const at::Tensor& stream, const KeysAndValues& cache) {
  const int64_t count = pass.length, first = cache.key.size(0) - count;
  Projections from = projected(pass);
  AttentionTensors tensors = attention_tensors(pass);
  tensors.key = cache.key.narrow(0, first, count).unsqueeze(0);
  from.value = cache.value.narrow(0, first, count).unsqueeze(0);
  if (!size_.head_norms) from.key = tensors.key;
  inputs_->forward(pass, input, from);
  normalize(pass, from, tensors, false);
  rotate_heads({tensors.query, tensors.key, {}}, tables, false);
  attention_cached(tensors.out.squeeze(0), tensors.query.squeeze(0), cache.key, cache.value, size_.window);
  output_.forward_add(pass, as_tokens(tensors.out), stream);
}

void SelfAttention::backward(const Pass& pass, const RotaryTables& tables, const at::Tensor& stream_gradient,
                             const at::Tensor& input_gradient) {
  const Projections from = projected(pass), gradient = gradients(pass, "");
  const AttentionTensors tensors = attention_tensors(pass);
  const at::Tensor out_gradient = pass.scratch("attention.out_gradient", tensors.out.sizes());
  const at::Tensor above = branch_gradient(pass, output_, stream_gradient);
  output_.input_gradient(pass, above, as_tokens(out_gradient), Write::replace);
  output_.report(pass, above, as_tokens(tensors.out));
  // With norms, attention's inputs were not kept: elementwise, and made again to the last bit.
  const Projections inner = size_.head_norms ? gradients(pass, "normalized_") : gradient;
  normalize(pass, from, tensors, true);
  if (size_.head_norms) rotate_heads({tensors.query, tensors.key, {}}, tables, false);
  attention_backward({inner.query, inner.key, inner.value}, out_gradient, tensors, pass.workspace);
  rotate_heads(inner, tables, true);
  if (size_.head_norms) {
    const auto through_norm = [&](const HeadNorm& head, const at::Tensor& above, const at::Tensor& below) {
      if (!below.is_meta()) below.zero_();
      head.norm.backward(pass, as_heads(above), as_heads(below), head.x, head.statistics);
    };
    through_norm(head_norm(pass, *query_norm_, from.query, "query_statistics"), inner.query, gradient.query);
    through_norm(head_norm(pass, *key_norm_, from.key, "key_statistics"), inner.key, gradient.key);
  }
  inputs_->input_gradient(pass, gradient, input_gradient);
}

void SelfAttention::report_inputs(const Pass& pass, const at::Tensor& input) {
  inputs_->report(pass, gradients(pass, ""), input);
}

void SelfAttention::list(ParameterList& parameters) {
  inputs_->list(parameters);
  output_.list(parameters);
  for (const auto& norm : {query_norm_.get(), key_norm_.get()})
    if (norm) norm->list(parameters);
}

}  // namespace galore
