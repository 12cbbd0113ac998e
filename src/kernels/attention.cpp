#include "kernels/attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

// Converts B x T x K x D to B x H x T x D in fp32 (fp64 stays), with each key head repeated for its query
// heads.
at::Tensor by_head(const at::Tensor& x, int64_t heads) {
  const at::Tensor y = (x.scalar_type() == at::kDouble ? x : x.to(at::kFloat)).transpose(1, 2);
  return heads == y.size(1) ? y : y.repeat_interleave(heads / y.size(1), 1);
}

// Sums the gradient B x H x T x D over the repeated heads, as B x T x K x D.
at::Tensor to_key_heads(const at::Tensor& gradient, int64_t key_heads) {
  const int64_t repeats = gradient.size(1) / key_heads;
  return gradient.unflatten(1, {key_heads, repeats}).sum(2).transpose(1, 2);
}

at::Tensor times_scale(const at::Tensor& x, const AttentionScores& scores, int64_t head_dim) {
  return scores.scale != 0 ? x * scores.scale : x / std::sqrt(static_cast<double>(head_dim));
}

at::Tensor scores_of(const at::Tensor& query, const at::Tensor& key, const AttentionScores& scores) {
  const at::Tensor scaled = times_scale(at::matmul(query, key.transpose(-2, -1)), scores, query.size(-1));
  return scores.soft_cap > 0 ? (scaled / scores.soft_cap).tanh() * scores.soft_cap : scaled;
}

// Returns a mask, queries x keys, of the keys that causal attention hides from the last `queries` positions.
at::Tensor hidden_from_last(int64_t queries, int64_t keys, int64_t window, at::Device device) {
  const at::Tensor all = at::ones({queries, keys}, at::TensorOptions(at::kBool).device(device));
  const at::Tensor future = all.triu(keys - queries + 1);
  return window > 0 ? future.logical_or(all.tril(keys - queries - window)) : future;
}

// Returns the mask of hidden keys: T x T or, with key ranges, B x 1 x T x T.
at::Tensor hidden_keys(const AttentionTensors& t) {
  const int64_t length = t.query.size(1);
  const at::Device device = t.query.device();
  if (!t.first_key.defined()) return hidden_from_last(length, length, t.window, device);
  const auto of_queries = [&](const at::Tensor& bounds) {
    return bounds.to(device).unsqueeze(1).unsqueeze(-1);
  };
  const at::Tensor keys = at::arange(length, at::TensorOptions(at::kInt).device(device));
  at::Tensor hidden = keys.lt(of_queries(t.first_key)).logical_or_(keys.ge(of_queries(t.end_key)));
  if (t.window > 0) {
    hidden.logical_or_(keys.le(keys.unsqueeze(-1) - t.window));
  }
  return hidden;
}

void check_range(const AttentionTensors& t, int64_t position) {
  const int64_t length = t.query.size(1);
  const int32_t first = t.first_key.const_data_ptr<int32_t>()[position];
  const int32_t end = t.end_key.const_data_ptr<int32_t>()[position];
  if (0 <= first && first <= end && end <= length) return;
  fail("attention",
       "expected key ranges with 0 <= first_key <= end_key <= {}, given [{}, {}) at position {} of row {}",
       length, first, end, position % length, position / length);
}

void check_ranges(const AttentionTensors& t) {
  GALORE_ASSERT(t.first_key.defined() == t.end_key.defined());
  if (!t.first_key.defined() || t.query.is_meta()) return;
  for (const at::Tensor& bounds : {t.first_key, t.end_key}) {
    GALORE_ASSERT(bounds.is_cpu() && bounds.scalar_type() == at::kInt && bounds.is_contiguous());
    GALORE_ASSERT(bounds.sizes() == t.query.sizes().slice(0, 2));
  }
  for (int64_t position = 0; position < t.first_key.numel(); ++position) check_range(t, position);
}

void check(const AttentionTensors& t) {
  GALORE_ASSERT(t.query.dim() == 4 && t.key.dim() == 4 && t.value.sizes() == t.key.sizes());
  GALORE_ASSERT(t.out.sizes() == t.query.sizes() && t.query.size(2) % t.key.size(2) == 0);
  GALORE_ASSERT(t.logsumexp.numel() == t.query.numel() / t.query.size(3));
  GALORE_ASSERT(t.query.is_contiguous() && t.key.is_contiguous() && t.value.is_contiguous());
  GALORE_ASSERT(t.out.is_contiguous() && t.logsumexp.is_contiguous() && t.window >= 0);
  check_ranges(t);
}

AttentionTensors with_ranges_on_device(AttentionTensors t) {
  if (!t.first_key.defined()) return t;
  t.first_key = t.first_key.to(t.query.device());
  t.end_key = t.end_key.to(t.query.device());
  return t;
}

// Devices without a kernel take one row at a time, so that only the scores of one row exist at once.
AttentionTensors row_of(const AttentionTensors& t, int64_t row) {
  const auto at_row = [row](const at::Tensor& x) { return x.defined() ? x.narrow(0, row, 1) : x; };
  return {at_row(t.query),     at_row(t.key),     at_row(t.value), at_row(t.out),
          at_row(t.logsumexp), t.window,          t.dropout,       t.first_row + row,
          at_row(t.first_key), at_row(t.end_key), t.scores};
}

AttentionGradients row_of(const AttentionGradients& g, int64_t row) {
  return {g.query.narrow(0, row, 1), g.key.narrow(0, row, 1), g.value.narrow(0, row, 1)};
}

// Returns the dropout factors of the weights, B x H x T x T; undefined without dropout.
at::Tensor factors_of(const AttentionTensors& t) {
  if (!t.dropout) return {};
  const int64_t rows = t.query.size(0), length = t.query.size(1), heads = t.query.size(2);
  const int64_t first = t.first_row * heads * length * dropout_segments(length);
  return reference::dropout_factors(*t.dropout, first, rows * heads * length, length, t.query.device())
      .reshape({rows, heads, length, length});
}

at::Tensor times(const at::Tensor& weights, const at::Tensor& factors) {
  return factors.defined() ? weights * factors : weights;
}

void attend_row_by_row(const AttentionTensors& tensors, Workspace&) {
  const AttentionTensors there = with_ranges_on_device(tensors);
  for (int64_t row = 0; row < there.query.size(0); ++row) reference::attention(row_of(there, row));
}

void backward_row_by_row(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                         const AttentionTensors& tensors, Workspace&) {
  const AttentionTensors there = with_ranges_on_device(tensors);
  for (int64_t row = 0; row < there.query.size(0); ++row)
    reference::attention_backward(row_of(gradients, row), out_gradient.narrow(0, row, 1), row_of(there, row));
}

const kernels::Operation<decltype(attention)> kAttention(
    "attention",
    {.cpu = kernels::or_composed<kernels::cpu::attention, attend_row_by_row>, .composed = attend_row_by_row});
const kernels::Operation<decltype(attention_backward)> kAttentionBackward(
    "attention_backward", {.cpu = kernels::or_composed<kernels::cpu::attention_backward, backward_row_by_row>,
                           .composed = backward_row_by_row});

}  // namespace

double score_scale(const AttentionScores& scores, int64_t head_dim) {
  return scores.scale != 0 ? scores.scale : 1 / std::sqrt(static_cast<double>(head_dim));
}

void attention(const AttentionTensors& tensors, Workspace& workspace) {
  check(tensors);
  if (tensors.query.is_meta())
    return void(kernels::cpu::attention(tensors, workspace));  // claims its scratch
  kAttention(tensors.query, tensors, workspace);
}

void attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors, Workspace& workspace) {
  check(tensors);
  GALORE_ASSERT(gradients.query.sizes() == tensors.query.sizes() && out_gradient.is_contiguous());
  GALORE_ASSERT(gradients.key.sizes() == tensors.key.sizes() &&
                gradients.value.sizes() == tensors.key.sizes());
  if (tensors.query.is_meta())
    return void(kernels::cpu::attention_backward(gradients, out_gradient, tensors, workspace));
  kAttentionBackward(tensors.query, gradients, out_gradient, tensors, workspace);
}

void attention_cached(const at::Tensor& out, const at::Tensor& query, const at::Tensor& key,
                      const at::Tensor& value, int64_t window, const AttentionScores& scores) {
  if (out.is_meta()) return;
  // Keys before the first query's window are outside of every query's window.
  const int64_t heads = query.size(1), keys = key.size(0);
  const int64_t first = window > 0 ? std::max<int64_t>(0, keys - query.size(0) + 1 - window) : 0;
  const auto seen = [&](const at::Tensor& x) {
    return by_head(x.narrow(0, first, keys - first).unsqueeze(0), heads);
  };
  const at::Tensor hidden = hidden_from_last(query.size(0), keys - first, window, out.device());
  const at::Tensor seen_scores = scores_of(by_head(query.unsqueeze(0), heads), seen(key), scores);
  const at::Tensor weights = seen_scores.masked_fill(hidden, -INFINITY).softmax(-1);
  out.copy_(at::matmul(weights, seen(value)).transpose(1, 2).squeeze(0));
}

namespace reference {

void attention(const AttentionTensors& t) {
  const int64_t heads = t.query.size(2);
  const at::Tensor hidden = hidden_keys(t);
  const at::Tensor scores =
      scores_of(by_head(t.query, heads), by_head(t.key, heads), t.scores).masked_fill(hidden, -INFINITY);
  t.logsumexp.copy_(scores.logsumexp(-1).masked_fill_(hidden.all(-1), kNoKeysLogsumexp));
  // The softmax of a position that sees no key is NaN. Elsewhere hidden keys already have the weight 0.
  const at::Tensor weights = times(scores.softmax(-1).masked_fill_(hidden, 0), factors_of(t));
  t.out.copy_(at::matmul(weights, by_head(t.value, heads)).transpose(1, 2));
}

void attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& t) {
  const int64_t heads = t.query.size(2), key_heads = t.key.size(2);
  const at::Tensor q = by_head(t.query, heads), k = by_head(t.key, heads), v = by_head(t.value, heads);
  const at::Tensor dout = by_head(out_gradient, heads), out = by_head(t.out, heads);
  const at::Tensor scores = scores_of(q, k, t.scores), hidden = hidden_keys(t);
  const at::Tensor weights = (scores.masked_fill(hidden, -INFINITY) - t.logsumexp.unsqueeze(-1)).exp();
  const at::Tensor factors = factors_of(t);
  const at::Tensor dweights = times(at::matmul(dout, v.transpose(-2, -1)), factors);
  const at::Tensor row_sum = (dout * out).sum(-1, true);
  const at::Tensor dcapped = weights * (dweights - row_sum);
  const double cap = t.scores.soft_cap;
  const at::Tensor dscaled = cap > 0 ? dcapped * (1 - (scores / cap).square()) : dcapped;
  const at::Tensor dscores = times_scale(dscaled, t.scores, q.size(-1));
  gradients.query.copy_(at::matmul(dscores, k).transpose(1, 2));
  gradients.key.copy_(to_key_heads(at::matmul(dscores.transpose(-2, -1), q), key_heads));
  gradients.value.copy_(to_key_heads(at::matmul(times(weights, factors).transpose(-2, -1), dout), key_heads));
}

}  // namespace reference
}  // namespace galore
