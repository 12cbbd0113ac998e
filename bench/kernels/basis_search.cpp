// A search for a basis beside LAPACK's SVD of the same gradient.
//
// usage: bench_basis_search [ROWS=4096] [COLUMNS=11008] [RANK=1024] [TOKENS=2048] [ROUNDS=3]
//
// The gradient is a product of TOKENS outputs and inputs whose columns fall in size, so that it has a
// decaying spectrum. warm: one iteration from a basis of before, as every refresh but the first one does it,
// by products with the tokens. Rounds are interleaved; an SVD is computed once a round.
#include <ATen/ATen.h>
#include <fmt/core.h>

#include <functional>

#include "bench/kernels/clock.h"
#include "optim/subspaces/iteration.h"

namespace galore {
namespace {

struct Sizes {
  int64_t rows = 4096, columns = 11008, rank = 1024, tokens = 2048, rounds = 3;
};

double seconds(const std::function<void()>& work) {
  const double begin = bench::now();
  work();
  return bench::now() - begin;
}

at::Tensor falling(int64_t tokens, int64_t columns) {
  const at::Tensor sizes = at::pow(at::arange(1, columns + 1, at::kFloat), -0.5);
  return at::randn({tokens, columns}) * sizes;
}

int run(const Sizes& sizes) {
  at::manual_seed(1);
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const at::Tensor output_gradient = falling(sizes.tokens, sizes.rows),
                   input = falling(sizes.tokens, sizes.columns);
  const OuterProduct gradient(output_gradient, input, workspace);
  const Side side = side_of("std", sizes.rows, sizes.columns);
  const auto search = [&](const at::Tensor& previous) {
    return find_by_warm_iteration(
        gradient, {side, sizes.rank, previous, RandomStream(1, "bench"), workspace, {}, 16, true});
  };
  const auto first = search({});
  if (!first) return 1;
  const at::Tensor previous = (side == Side::left ? first->left : first->right).clone();
  const at::Tensor dense = output_gradient.t().mm(input);
  search(previous);  // its buffers
  for (int64_t round = 0; round < sizes.rounds; ++round) {
    const double warm = seconds([&] { search(previous); });
    const double svd = seconds([&] { at::linalg_svd(dense, /*full_matrices=*/false); });
    fmt::print("{} x {}, rank {}, {} tokens: warm {:.3f} s, linalg_svd {:.2f} s, ratio {:.1f}\n", sizes.rows,
               sizes.columns, sizes.rank, sizes.tokens, warm, svd, svd / warm);
  }
  return 0;
}

}  // namespace
}  // namespace galore

int main(int count, char** arguments) {
  galore::Sizes sizes;
  int64_t* const all[] = {&sizes.rows, &sizes.columns, &sizes.rank, &sizes.tokens, &sizes.rounds};
  for (int i = 1; i < count && i <= 5; ++i) *all[i - 1] = std::stoll(arguments[i]);
  return galore::run(sizes);
}
