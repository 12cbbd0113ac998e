#include "adapters/explained_rank.h"

#include <ATen/ATen.h>

namespace galore {
namespace {

// B A = Q_B (R_B R_A^T) Q_A^T.
struct Reduced {
  at::Tensor q_b, q_a, core;
};

Reduced reduced(const at::Tensor& b, const at::Tensor& a) {
  const auto [q_b, r_b] = at::linalg_qr(b, "reduced");
  const auto [q_a, r_a] = at::linalg_qr(a.t(), "reduced");
  return {q_b, q_a, r_b.mm(r_a.t())};
}

}  // namespace

double explained_share(const at::Tensor& values, int64_t count, int64_t rank, Explained rule) {
  const at::Tensor numbers = values.to(at::kDouble);
  const at::Tensor tail = numbers.slice(0, rank);
  const auto sum = [](const at::Tensor& x) { return x.sum().item<double>(); };
  if (rule == Explained::by_energy) {
    const double all = sum(numbers.square());
    return all > 0 ? 1 - sum(tail.square()) / all : 1;
  }
  const auto variance = [&](const at::Tensor& x) {
    const double mean = sum(x) / static_cast<double>(count);
    return sum(x.square()) / static_cast<double>(count) - mean * mean;
  };
  const double all = variance(numbers);
  return all > 0 ? 1 - variance(tail) / all : 1;
}

int64_t explained_rank(const at::Tensor& values, int64_t count, int64_t first, int64_t last, double threshold,
                       Explained rule) {
  for (int64_t rank = first; rank < last; ++rank)
    if (explained_share(values, count, rank, rule) > threshold) return rank;
  return last;
}

ProductSpectrum product_spectrum(const at::Tensor& b, const at::Tensor& a) {
  const Reduced thin = reduced(b, a);
  const auto [u, s, vh] = at::linalg_svd(thin.core, /*full_matrices=*/false);
  return {thin.q_b.mm(u), s, thin.q_a.mm(vh.t())};
}

at::Tensor product_values(const at::Tensor& b, const at::Tensor& a) {
  return at::linalg_svdvals(reduced(b, a).core);
}

}  // namespace galore
