#include "optim/subspaces/subspace.h"

namespace galore {
namespace {

constexpr int64_t kOversampling = 16;  // Halko et al. ask for 5 to 10; the columns are nearly free
constexpr int kIterations = 2;         // enough for the slowly decaying spectra of gradients; see docs/log.md

at::Tensor orthonormal(const at::Tensor& matrix) { return std::get<0>(at::linalg_qr(matrix)); }

// Right singular vectors of g, and the left ones belonging to them.
SingularVectors iterate(const at::Tensor& g, int64_t rank, const at::Tensor& previous,
                        const RandomStream& random) {
  const int64_t columns = std::min(rank + kOversampling, std::min(g.size(0), g.size(1)));
  const int64_t fresh = previous.defined() ? columns - previous.size(1) : columns;
  at::Tensor basis = normal_matrix(g.size(1), fresh, random).to(g.device());
  if (previous.defined()) basis = at::cat({previous, basis}, 1);
  for (int i = 0; i < kIterations; ++i) basis = orthonormal(g.t().matmul(orthonormal(g.matmul(basis))));
  const at::Tensor image = g.matmul(basis);
  // In fp64: the squares of small singular values would drown in fp32's rounding of the large ones.
  const at::Tensor exact = image.to(at::kDouble);
  const auto [squares, rotation] = at::linalg_eigh(exact.t().matmul(exact));
  const at::Tensor turn = rotation.flip({1}).narrow(1, 0, rank).to(at::kFloat);
  const at::Tensor values = squares.flip({0}).narrow(0, 0, rank).clamp_min(0).sqrt().to(at::kFloat);
  return {image.matmul(turn) / values.clamp_min(1e-37), basis.matmul(turn), values};
}

}  // namespace

at::Tensor normal_matrix(int64_t rows, int64_t columns, const RandomStream& random) {
  at::Tensor matrix = at::empty({rows, columns}, at::kFloat);
  float* data = matrix.mutable_data_ptr<float>();
  for (int64_t i = 0; i < matrix.numel(); i += 4) {
    const auto words = random.block(static_cast<uint64_t>(i / 4));
    const auto first = normal_pair(words[0], words[1]), second = normal_pair(words[2], words[3]);
    const float values[4] = {first[0], first[1], second[0], second[1]};
    for (int64_t j = 0; j < std::min<int64_t>(4, matrix.numel() - i); ++j) data[i + j] = values[j];
  }
  return matrix;
}

std::optional<SingularVectors> find_by_randomized_iteration(const at::Tensor& gradient, Side side,
                                                            int64_t rank, const at::Tensor& previous,
                                                            const RandomStream& random) {
  if (!gradient.isfinite().all().item<bool>()) return std::nullopt;
  try {
    if (side != Side::left) return iterate(gradient, rank, previous, random);
    SingularVectors found = iterate(gradient.t(), rank, previous, random);
    std::swap(found.left, found.right);
    return found;
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

}  // namespace galore
