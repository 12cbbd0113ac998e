#include "nn/self_attention.h"

#include "kernels/rotary.h"

namespace galore {
namespace {

// Views B x T x heads x D as a matrix with one row for each token.
at::Tensor as_tokens(const at::Tensor& x) { return x.view({x.size(0) * x.size(1), x.size(2) * x.size(3)}); }

std::vector<at::Tensor> as_tokens(const Projections& p) {
  return {as_tokens(p.query), as_tokens(p.key), as_tokens(p.value)};
}

LinearGroupSize inputs_size(const AttentionSize& size) {
  const int64_t queries = size.heads * size.head_dim, keys = size.key_heads * size.head_dim;
  return {size.hidden,
          {queries, keys, keys},
          {size.query, size.key, size.value},
          size.fused,
          size.fused_by_head ? size.heads : 1,
          size.bias,
          size.inputs_first};
}

struct HeadNorm {
  Norm& norm;
  at::Tensor x, statistics;
};

HeadNorm head_norm(const Pass& pass, Norm& norm, const at::Tensor& rows, const char* name) {
  return {norm, rows, norm.statistics(pass, name, rows.size(0))};
}

}  // namespace

SelfAttention::SelfAttention(const Place& place, const AttentionSize& size, const LayerBuilder& builder)
    : size_(size),
      inputs_(make_linear_group(place, inputs_size(size), builder)),
      output_(builder.linear(place.at(size.output),
                             {size.heads * size.head_dim, size.hidden, size.output_bias, size.inputs_first})),
      branch_(place, size.branch, builder) {
  if (size.head_norms == HeadNorms::none) return;
  const auto norm = [&](const std::string& name, int64_t heads) {
    return make_norm(place.at(name), {norm_features(heads), size.norm_epsilon, size.norm}, builder);
  };
  query_norm_ = norm(size.query_norm, size.heads);
  key_norm_ = norm(size.key_norm, size.key_heads);
}

// Views queries and keys as the matrices that their norms read.
std::pair<at::Tensor, at::Tensor> SelfAttention::norm_rows(const Projections& p) const {
  return {p.query.view({-1, norm_features(size_.heads)}), p.key.view({-1, norm_features(size_.key_heads)})};
}

int64_t SelfAttention::norm_features(int64_t heads) const {
  return size_.head_norms == HeadNorms::whole ? heads * size_.head_dim : size_.head_dim;
}

Projections SelfAttention::projected(const Pass& pass) const {
  const int64_t rows = pass.rows, length = pass.length, dim = size_.head_dim;
  return {pass.saved("query", {rows, length, size_.heads, dim}),
          pass.saved("key", {rows, length, size_.key_heads, dim}),
          pass.saved("value", {rows, length, size_.key_heads, dim})};
}

SelfAttention::Heads SelfAttention::heads_of(const Pass& pass) const {
  Heads heads{projected(pass), {}, {}, {}};
  if (query_norm_) {
    heads.query.emplace(pass.scratch("attention.query", heads.projected.query.sizes()));
    heads.key.emplace(pass.scratch("attention.key", heads.projected.key.sizes()));
  }
  heads.tensors = {heads.query ? **heads.query : heads.projected.query,
                   heads.key ? **heads.key : heads.projected.key,
                   heads.projected.value,
                   pass.saved("attention", heads.projected.query.sizes()),
                   pass.saved_statistics("logsumexp", {pass.rows, size_.heads, pass.length}),
                   size_.window};
  heads.tensors.scores = size_.scores;
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
  if (!query_norm_) return;
  const auto apply = [&](const HeadNorm& head, const at::Tensor& out) {
    if (statistics == Statistics::read) {
      head.norm.recompute_output(pass, head.x, out.view_as(head.x), head.statistics);
    } else {
      head.norm.forward(pass, head.x, out.view_as(head.x), head.statistics);
    }
  };
  const Projections& projected = heads.projected;
  const auto [query, key] = norm_rows(projected);
  apply(head_norm(pass, *query_norm_, query, "query_statistics"), heads.tensors.query);
  apply(head_norm(pass, *key_norm_, key, "key_statistics"), heads.tensors.key);
}

void SelfAttention::rotate_heads(const Pass& pass, const at::Tensor& query, const at::Tensor& key,
                                 const RotaryTables& tables, bool inverse) const {
  if (!tables.cosine.defined()) return;
  for (const at::Tensor& heads : {query, key})
    rotate(heads, tables.cosine, tables.sine, inverse, pass.where.positions, tables.pairs);
}

void SelfAttention::forward(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                            const at::Tensor& stream) {
  const Heads heads = heads_of(pass);
  inputs_->forward(pass, input, as_tokens(heads.projected));
  normalize(pass, heads, Statistics::compute);
  rotate_heads(pass, heads.tensors.query, heads.tensors.key, tables, false);
  attention(heads.tensors, pass.workspace);
  branch_.add(pass, *output_, as_tokens(heads.tensors.out), stream);
}

void SelfAttention::forward_cached(const Pass& pass, const RotaryTables& tables, const at::Tensor& input,
                                   const at::Tensor& stream, const KeysAndValues& cache) {
  const int64_t count = pass.length, first = cache.key.size(0) - count;
  Heads heads = heads_of(pass);
  AttentionTensors& tensors = heads.tensors;
  tensors.key = cache.key.narrow(0, first, count).unsqueeze(0);
  heads.projected.value = cache.value.narrow(0, first, count).unsqueeze(0);
  if (!query_norm_) heads.projected.key = tensors.key;
  inputs_->forward(pass, input, as_tokens(heads.projected));
  normalize(pass, heads, Statistics::compute);
  rotate_heads(pass, tensors.query, tensors.key, tables, false);
  attention_cached(tensors.out.squeeze(0), tensors.query.squeeze(0), cache.key, cache.value, size_.window,
                   size_.scores);
  branch_.add(pass, *output_, as_tokens(tensors.out), stream);
}

SelfAttention::InputGradients SelfAttention::backward(const Pass& pass, const RotaryTables& tables,
                                                      const at::Tensor& stream_gradient,
                                                      const at::Tensor& input_gradient) {
  InputGradients gradient = gradient_buffers(pass, "");
  const Heads heads = heads_of(pass);
  const AttentionTensors& tensors = heads.tensors;
  const Scratch out_gradient = pass.scratch("attention.out_gradient", tensors.out.sizes());
  {
    const BranchGradient branch = branch_.output_gradient(pass, *output_, stream_gradient);
    output_->input_gradient(pass, branch.tensor, as_tokens(out_gradient), Write::replace);
    output_->report_gradient(pass, branch.tensor, as_tokens(tensors.out));
  }
  if (query_norm_) {
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
  inputs_->input_gradient(pass, as_tokens(gradient.tensors()), input_gradient);
  return gradient;
}

void SelfAttention::backward_through_norms(const Pass& pass, const Projections& projected,
                                           const Projections& normalized, const Projections& gradient) {
  const auto through = [&](const HeadNorm& head, const at::Tensor& above, const at::Tensor& below) {
    if (!below.is_meta()) below.zero_();
    head.norm.backward(pass, above.view_as(head.x), below.view_as(head.x), head.x, head.statistics);
  };
  const auto [query, key] = norm_rows(projected);
  through(head_norm(pass, *query_norm_, query, "query_statistics"), normalized.query, gradient.query);
  through(head_norm(pass, *key_norm_, key, "key_statistics"), normalized.key, gradient.key);
}

void SelfAttention::report_inputs(const Pass& pass, const InputGradients& gradient, const at::Tensor& input) {
  inputs_->report_gradient(pass, as_tokens(gradient.tensors()), input);
}

void SelfAttention::list(ParameterList& parameters) {
  inputs_->list(parameters);
  output_->list(parameters);
  for (const auto& norm : {query_norm_.get(), key_norm_.get()})
    if (norm) norm->list(parameters);
  branch_.list(parameters);
}

}  // namespace galore
