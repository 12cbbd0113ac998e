#include "nn/self_attention.h"

#include "kernels/rotary.h"
#include "nn/residual.h"

namespace galore {
namespace {

// Views B x T x heads x D as a matrix of heads, because norms of heads work on single heads.
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

SelfAttention::SelfAttention(const Place& place, const AttentionSize& size, const LayerBuilder& builder)
    : size_(size),
      inputs_(make_attention_inputs(place, size, builder)),
      output_(builder.linear(place.at(size.output), {size.heads * size.head_dim, size.hidden,
                                                     size.output_bias, size.inputs_first})) {
  if (!size.head_norms) return;
  query_norm_ = make_norm(place.at(size.query_norm), {size.head_dim, size.norm_epsilon}, builder);
  key_norm_ = make_norm(place.at(size.key_norm), {size.head_dim, size.norm_epsilon}, builder);
}

Projections SelfAttention::projected(const Pass& pass) const {
  const int64_t rows = pass.rows, length = pass.length, dim = size_.head_dim;
  return {pass.saved("query", {rows, length, size_.heads, dim}),
          pass.saved("key", {rows, length, size_.key_heads, dim}),
          pass.saved("value", {rows, length, size_.key_heads, dim})};
}

SelfAttention::Heads SelfAttention::heads_of(const Pass& pass) const {
  Heads heads{projected(pass), {}, {}, {}};
  if (size_.head_norms) {
    heads.query.emplace(pass.scratch("attention.query", heads.projected.query.sizes()));
    heads.key.emplace(pass.scratch("attention.key", heads.projected.key.sizes()));
  }
  heads.tensors = {heads.query ? **heads.query : heads.projected.query,
                   heads.key ? **heads.key : heads.projected.key,
                   heads.projected.value,
                   pass.saved("attention", heads.projected.query.sizes()),
                   pass.saved_statistics("logsumexp", {pass.rows, size_.heads, pass.length}),
                   size_.window};
  heads.tensors.first_key = pass.where.first_key;
  heads.tensors.end_key = pass.where.end_key;
  if (pass.dropout && pass.dropout->attention > 0) {
    heads.tensors.dropout =
        pass.dropout->mask(pass.dropout->attention, output_->name() + ".weight attention");
    heads.tensors.first_row = pass.dropout->place.first_row;
  }
  return heads;
}

SelfAttention::InputGradients SelfAttention::gradient_buffers(const Pass& pass,
                                                              const std::string& name) const {
  const int64_t rows = pass.rows, length = pass.length, dim = size_.head_dim;
  const auto buffer = [&](const char* what, int64_t heads) {
    return pass.scratch("attention." + name + what, {rows, length, heads, dim});
  };
  return {buffer("query_gradient", size_.heads), buffer("key_gradient", size_.key_heads),
          buffer("value_gradient", size_.key_heads)};
}

void SelfAttention::normalize(const Pass& pass, const Heads& heads, Statistics statistics) {
  if (!size_.head_norms) return;
  const auto apply = [&](const HeadNorm& head, const at::Tensor& out) {
    if (statistics == Statistics::read) {
      head.norm.recompute_output(pass, head.x, as_heads(out), head.statistics);
    } else {
      head.norm.forward(pass, head.x, as_heads(out), head.statistics);
    }
  };
  apply(head_norm(pass, *query_norm_, heads.projected.query, "query_statistics"), heads.tensors.query);
  apply(head_norm(pass, *key_norm_, heads.projected.key, "key_statistics"), heads.tensors.key);
}

void SelfAttention::rotate_heads(const Pass& pass, const at::Tensor& query, const at::Tensor& key,
                                 const RotaryTables& tables, bool inverse) const {
  if (!tables.cosine.defined()) return;
  for (const at::Tensor& heads : {query, key})
    rotate(heads, tables.cosine, tables.sine, inverse, pass.where.positions);
}

void SelfAttention::forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                            const at::Tensor& stream) {
  const Heads heads = heads_of(pass);
  inputs_->forward(pass, input, heads.projected);
  normalize(pass, heads, Statistics::compute);
  rotate_heads(pass, heads.tensors.query, heads.tensors.key, tables, false);
  attention(heads.tensors, pass.workspace);
  add_branch(pass, *output_, as_tokens(heads.tensors.out), stream);
}

void SelfAttention::forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                                   const at::Tensor& stream, const KeysAndValues& cache) {
  const int64_t count = pass.length, first = cache.key.size(0) - count;
  Heads heads = heads_of(pass);
  AttentionTensors& tensors = heads.tensors;
  tensors.key = cache.key.narrow(0, first, count).unsqueeze(0);
  heads.projected.value = cache.value.narrow(0, first, count).unsqueeze(0);
  if (!size_.head_norms) heads.projected.key = tensors.key;
  inputs_->forward(pass, input, heads.projected);
  normalize(pass, heads, Statistics::compute);
  rotate_heads(pass, tensors.query, tensors.key, tables, false);
  attention_cached(tensors.out.squeeze(0), tensors.query.squeeze(0), cache.key, cache.value, size_.window);
  output_->forward(pass, as_tokens(tensors.out), stream, Write::accumulate);
}

SelfAttention::InputGradients SelfAttention::backward(const Pass& pass, const RotaryTables& tables,
                                                      const at::Tensor& stream_gradient,
                                                      const at::Tensor& input_gradient) {
  InputGradients gradient = gradient_buffers(pass, "");
  const Heads heads = heads_of(pass);
  const AttentionTensors& tensors = heads.tensors;
  const Scratch out_gradient = pass.scratch("attention.out_gradient", tensors.out.sizes());
  branch_backward(pass, *output_, as_tokens(tensors.out), stream_gradient, as_tokens(out_gradient));
  if (size_.head_norms) {
    // The normalized and rotated heads were not saved. They are elementwise, so recomputing them gives the
    // same bits.
    normalize(pass, heads, Statistics::read);
    rotate_heads(pass, tensors.query, tensors.key, tables, false);
    const Scratch query = pass.scratch("attention.normalized_query_gradient", tensors.query.sizes());
    const Scratch key = pass.scratch("attention.normalized_key_gradient", tensors.key.sizes());
    attention_backward({query, key, gradient.value}, out_gradient, tensors, pass.workspace);
    rotate_heads(pass, query, key, tables, true);
    backward_through_norms(pass, heads.projected, {query, key, {}}, gradient.tensors());
  } else {
    attention_backward({gradient.query, gradient.key, gradient.value}, out_gradient, tensors, pass.workspace);
    rotate_heads(pass, gradient.query, gradient.key, tables, true);
  }
  inputs_->input_gradient(pass, gradient.tensors(), input_gradient);
  return gradient;
}

void SelfAttention::backward_through_norms(const Pass& pass, const Projections& projected,
                                           const Projections& normalized, const Projections& gradient) {
  const auto through = [&](const HeadNorm& head, const at::Tensor& above, const at::Tensor& below) {
    if (!below.is_meta()) below.zero_();
    head.norm.backward(pass, as_heads(above), as_heads(below), head.x, head.statistics);
  };
  through(head_norm(pass, *query_norm_, projected.query, "query_statistics"), normalized.query,
          gradient.query);
  through(head_norm(pass, *key_norm_, projected.key, "key_statistics"), normalized.key, gradient.key);
}

void SelfAttention::report_inputs(const Pass& pass, const InputGradients& gradient, const at::Tensor& input) {
  inputs_->report_gradient(pass, gradient.tensors(), input);
}

void SelfAttention::list(ParameterList& parameters) {
  inputs_->list(parameters);
  output_->list(parameters);
  for (const auto& norm : {query_norm_.get(), key_norm_.get()})
    if (norm) norm->list(parameters);
}

}  // namespace galore
