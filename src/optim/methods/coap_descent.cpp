#include "optim/methods/coap_descent.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/line_norms.h"
#include "kernels/matmul.h"

namespace galore {

at::Tensor CoapDescent::buffer(const char* name, int64_t rows, int64_t columns) {
  return workspace_.get(Owner::workspace, name, {rows, columns}, at::kFloat);
}

at::Tensor CoapDescent::product(const char* name, const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor out = buffer(name, a.size(0), b.size(1));
  matrix_product(out, a, b, Write::replace);
  return out;
}

at::Tensor CoapDescent::next_basis(const at::Tensor& gradient, double rate) {
  const at::Tensor p = basis_, h = left_ ? gradient : gradient.t();
  const at::Tensor w = product("coap.low_rank", p.t(), h), k = product("coap.gram", w, w.t()),
                   q = product("coap.overlap", p.t(), p), slope = product("coap.along", h, w.t());
  const at::Tensor of_cosine = buffer("coap.of_cosine", p.size(0), p.size(1));
  const double cosine = mean_cosine(gradient, w, q, of_cosine);
  if (p.is_meta()) return p;
  const auto count = static_cast<double>(gradient.numel());
  const double whole = kernels::sum_squares(gradient);
  if (whole == 0) return {};
  const at::Tensor exact = k.to(at::kDouble);
  const double loss =
      ((exact * q.to(at::kDouble)).sum().item<double>() - 2 * exact.trace().item<double>() + whole) / count;
  q.diagonal().sub_(2);
  const double factor = 2 / count * (1 - cosine);
  const at::Tensor total = slope.mm(q).addmm_(p, k).mul_(factor).sub_(of_cosine, loss);
  const double size = std::sqrt(kernels::sum_squares(total));
  return p.sub(total, rate * std::min(1.0, 1 / (size + 1e-6)));
}

double CoapDescent::mean_cosine(const at::Tensor& gradient, const at::Tensor& low_rank,
                                const at::Tensor& overlap, const at::Tensor& of_basis) {
  const at::Tensor p = basis_, m = average_;
  // Each row of X is a row of these factors times a matrix of r columns.
  const at::Tensor rows = left_ ? p : m;
  const at::Tensor with_g = left_ ? product("coap.with_moment", gradient, m.t()) : low_rank.t();
  const at::Tensor gram = left_ ? product("coap.moment_gram", m, m.t()) : overlap;
  const at::Tensor squares =
      workspace_.get(Owner::workspace, "coap.squares", {gradient.size(0)}, at::kDouble);
  kernels::squared_norms(squares, gradient, kernels::Lines::rows);
  workspace_.ledger().note_transient(4 * 4 * rows.numel());
  if (p.is_meta()) {
    if (!left_) product("coap.moment_slope", gradient.t(), m);
    return 0;
  }
  const at::Tensor size_g = squares.sqrt().clamp_min_(1e-8);
  const at::Tensor size_x =
      (rows.mm(gram) * rows).sum(1, false, at::kDouble).clamp_min_(0).sqrt_().clamp_min_(1e-8);
  const at::Tensor cosine = (rows * with_g).sum(1, false, at::kDouble).div_(size_x).div_(size_g);
  const auto count = static_cast<double>(gradient.size(0));
  const at::Tensor a = (1 / (size_x * size_g * count)).to(at::kFloat).unsqueeze(1);
  const at::Tensor b = (cosine / (size_x * size_x * count)).to(at::kFloat).unsqueeze(1);
  if (left_) {
    at::Tensor out = of_basis;
    at::mul_out(out, with_g, a).sub_(p.mm(gram) * b);
  } else {
    of_basis.copy_(product("coap.moment_slope", gradient.t(), m * a)).sub_(p.mm(m.t().mm(m * b)));
  }
  return cosine.mean().item<double>();
}

}  // namespace galore
