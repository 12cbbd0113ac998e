#include "adapters/lora_embedding.h"

#include <ATen/ATen.h>

#include <limits>

#include "adapters/layer_parts.h"
#include "kernels/convert.h"
#include "kernels/matmul.h"
#include "kernels/random_normal.h"

namespace galore {

LoraEmbedding::LoraEmbedding(const Place& place, const TableSize& size, const LoraSettings& settings,
                             bool use_dora, const LayerBuilder& inner, Ledger& ledger)
    : frozen_row_(size.frozen_row), settings_(settings), base_(inner.embedding(place, size)) {
  define_fp32(a_, place, "lora_embedding_A", {settings.rank, size.rows}, ledger);
  define_fp32(b_, place, "lora_embedding_B", {size.features, settings.rank}, ledger);
  if (use_dora) define_fp32(magnitude_, place, "lora_magnitude_vector", {size.features}, ledger);
}

Scratch LoraEmbedding::thin_rows(const Pass& pass, const at::Tensor& indices) const {
  Scratch rows = pass.scratch("adapter.thin_rows", {indices.numel(), settings_.rank});
  if (!rows->is_meta()) rows->copy_(a_.value.index_select(1, indices).t()).mul_(settings_.scale);
  return rows;
}

void LoraEmbedding::directions(const Pass& pass, const at::Tensor& indices, const at::Tensor& out) const {
  base_->forward(pass, indices, out);
  const Scratch thin = thin_rows(pass, indices);
  const at::Tensor b = converted(b_.value, pass.dtype, pass.workspace, "adapter.b");
  product_x_wt(out, thin, b, Write::accumulate, pass.workspace);
}

// Computes |W|^2 + 2 s (A W)^T . B + s^2 (B A A^T) . B feature by feature, so that W + s (B A)^T is not
// formed.
at::Tensor LoraEmbedding::norms() const {
  const at::Tensor &a = a_.value, &b = b_.value, &w = base_->stored().value;
  const double s = settings_.scale;
  const at::Tensor of_w = at::norm(w, 2, {0}, /*keepdim=*/false, at::kFloat);
  const at::Tensor aw = at::mm(a.to(w.scalar_type()), w).to(at::kFloat);
  const at::Tensor cross = aw.t().mul(2 * s).add(at::mm(b, at::mm(a, a.t())), s * s);
  const at::Tensor squares = of_w.square_().add_(cross.mul(b).sum(1)).clamp_min_(0);
  return squares.sqrt_().clamp_min_(std::numeric_limits<float>::min());
}

void LoraEmbedding::forward(const Pass& pass, const at::Tensor& indices, const at::Tensor& out) const {
  directions(pass, indices, out);
  if (has_magnitude() && !out.is_meta()) out.mul_(at::div(magnitude_.value, norms()).to(out.scalar_type()));
}

void LoraEmbedding::report_factors(const Pass& pass, const at::Tensor& indices, const at::Tensor& gradient) {
  // A sink may change its factor at once, so the products come first.
  const Scratch thin = thin_rows(pass, indices);
  const Scratch thin_gradient = pass.scratch("adapter.thin_gradient", {indices.numel(), settings_.rank});
  const at::Tensor b = converted(b_.value, pass.dtype, pass.workspace, "adapter.b");
  product_x_w(thin_gradient, gradient, b, Write::replace, pass.workspace);
  const Scratch of_a =
      pass.workspace.lease(Owner::workspace, "adapter.embedding_gradient", a_.sizes(), at::kFloat);
  if (!of_a->is_meta()) {
    clear_frozen_gradient(frozen_row_, indices, thin_gradient);
    of_a->zero_().index_add_(1, indices, thin_gradient->t().to(at::kFloat), settings_.scale);
  }
  if (b_.sink) {
    b_.sink->add_product(gradient, thin);
    b_.sink->use_done();
  }
  if (!a_.sink) return;
  a_.sink->add(of_a);
  a_.sink->use_done();
}

void LoraEmbedding::report_magnitude(const Pass& pass, const at::Tensor& indices, const at::Tensor& gradient,
                                     const at::Tensor& norms) {
  if (!magnitude_.sink) return;
  const Scratch rows = pass.scratch("adapter.directions", gradient.sizes());
  const Scratch sum =
      pass.workspace.lease(Owner::workspace, "adapter.magnitude", magnitude_.sizes(), at::kFloat);
  directions(pass, indices, rows);
  if (!sum->is_meta()) sum->copy_(rows->mul_(gradient).sum({0}, false, at::kFloat).div_(norms));
  magnitude_.sink->add(sum);
  magnitude_.sink->use_done();
}

void LoraEmbedding::report_gradient(const Pass& pass, const at::Tensor& indices, const at::Tensor& gradient) {
  if (!has_magnitude()) {
    report_factors(pass, indices, gradient);
  } else {
    const Scratch scaled = pass.scratch("adapter.scaled", gradient.sizes());
    at::Tensor norm;
    if (!gradient.is_meta()) {
      norm = norms();
      scaled->copy_(gradient).mul_(at::div(magnitude_.value, norm).to(gradient.scalar_type()));
    }
    report_magnitude(pass, indices, gradient, norm);
    report_factors(pass, indices, scaled);
  }
  base_->report_gradient(pass, indices, gradient);
}

void LoraEmbedding::list(ParameterList& parameters) {
  base_->list(parameters);
  parameters.push_back(&a_);
  parameters.push_back(&b_);
  if (has_magnitude()) parameters.push_back(&magnitude_);
}

at::Tensor LoraEmbedding::merged_weight() const {
  const at::Tensor sum =
      base_->merged_weight().to(at::kFloat).add(at::mm(b_.value, a_.value).t(), settings_.scale);
  return has_magnitude() ? sum.mul(at::div(magnitude_.value, norms())) : sum;
}

void LoraEmbedding::initialize(uint64_t seed) {
  if (a_.value.is_meta()) return;
  a_.value.zero_();
  random_normal(b_.value, 1, {seed, "init", b_.name});
  if (has_magnitude()) magnitude_.value.copy_(norms());
}

}  // namespace galore
