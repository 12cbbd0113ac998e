#include "optim/methods/pair_factors.h"

#include <ATen/ATen.h>

#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"

namespace galore {

PairFactors factors_of_pair(const std::string& name, const at::Tensor& a, const at::Tensor& b,
                            Workspace& workspace) {
  const int64_t rows = a.size(0), half = a.size(1), columns = 2 * half;
  const auto buffer = [&](const std::string& part, int64_t height) {
    return workspace.get(Owner::workspace, part, {height, columns}, at::kFloat);
  };
  const at::Tensor x = buffer(name, rows);
  x.narrow(1, 0, half).copy_(a);
  x.narrow(1, half, half).copy_(b);
  if (rows < columns) {
    if (x.is_meta()) return {x, x.new_empty({rows, columns})};
    const auto [q, r] = at::linalg_qr(x);
    return {q, r};
  }
  const PairFactors found{buffer(name + "_q", rows), buffer(name + "_r", columns)};
  found.q.copy_(x);
  orthonormalize(found.q, workspace);
  matrix_product(found.r, found.q.t(), x, Write::replace);
  return found;
}

at::Tensor core_of_sum(const at::Tensor& inner, const at::Tensor& r_u, const at::Tensor& r_v) {
  const int64_t k = inner.size(0);
  const auto half = [&](const at::Tensor& r, int64_t first) { return r.narrow(1, first, k).to(at::kDouble); };
  const at::Tensor u = half(r_u, 0), v = half(r_v, 0).t();
  return u.mm(inner.to(at::kDouble).mm(v) + half(r_v, k).t()) + half(r_u, k).mm(v);
}

}  // namespace galore
