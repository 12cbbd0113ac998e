#include "optim/subspaces/tracked_eigenbasis.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "optim/test_optimizer.h"

namespace galore {
namespace {

using testing_optimizer::decaying;
using testing_optimizer::orthonormal;
using testing_optimizer::random;
using testing_optimizer::relative_difference;

class TrackedEigenbasisTest : public testing::Test {
 protected:
  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

at::Tensor identity_error(const at::Tensor& basis) { return basis.t().mm(basis) - at::eye(basis.size(1)); }

// From a basis that Q maps into itself, the step finds the eigenvectors in it exactly.
TEST_F(TrackedEigenbasisTest, FindsEigenvectorsInAnInvariantSubspace) {
  const at::Tensor u = orthonormal(20, 4, 1), v = orthonormal(30, 4, 2);
  for (const Side side : {Side::left, Side::right}) {
    for (const double beta : {0.0, 0.6}) {
      const at::Tensor g = (u * at::tensor({1.0f, 4.0f, 2.0f, 3.0f})).mm(v.t());
      const at::Tensor turn = orthonormal(4, 4, 3), start = u.mm(turn);
      // tracked values of the directions in u
      const at::Tensor values = at::tensor({16.0f, 2.0f, 9.0f, 5.0f});
      const at::Tensor tracked = (turn.t() * values).mm(turn);
      const at::Tensor seen = side == Side::left ? g : g.t().contiguous();
      const at::Tensor found =
          leading_eigenvectors(DenseGradient(seen), {side, start, tracked, beta, workspace_});
      const at::Tensor all = beta * values + (1 - beta) * at::tensor({1.0f, 16.0f, 4.0f, 9.0f});
      const at::Tensor expected = u.index_select(1, all.argsort(0, /*descending=*/true));
      const at::Tensor cosines = (found * expected).sum(0).abs();
      EXPECT_TRUE(cosines.allclose(at::ones({4}), 0, 1e-5)) << cosines;
      EXPECT_TRUE(((found * start).sum(0) >= 0).all().item<bool>()) << "signs of the old basis";
    }
  }
}

TEST_F(TrackedEigenbasisTest, OfNothingIsUndefined) {
  const at::Tensor start = orthonormal(20, 4, 1), zeros = at::zeros({20, 30});
  EXPECT_FALSE(
      leading_eigenvectors(DenseGradient(zeros), {Side::left, start, at::zeros({4, 4}), 0.9, workspace_})
          .defined());
  // The tracked average alone determines a step.
  const at::Tensor tracked = at::diag_embed(at::tensor({1.0f, 2.0f, 3.0f, 4.0f}));
  const at::Tensor found =
      leading_eigenvectors(DenseGradient(zeros), {Side::left, start, tracked, 0.9, workspace_});
  EXPECT_LE(relative_difference(found.abs(), start.flip({1}).abs()), 1e-5);
}

TEST_F(TrackedEigenbasisTest, KeepsTheFirstDirectionsAndDrawsTheOthersOutside) {
  const RandomStream random_stream(1, "refresh", "w", 3);
  for (const auto& [rows, rank, kept] :
       {std::tuple{20, 6, 2}, {20, 6, 0}, {20, 6, 6}, {20, 6, 9}, {8, 6, 2}}) {
    const at::Tensor old = orthonormal(rows, rank, 1), basis = old.clone();
    switch_directions(basis, kept, random_stream, workspace_);
    const int64_t drawn = rank - std::min(kept, rank);
    EXPECT_TRUE(at::equal(basis.narrow(1, 0, rank - drawn), old.narrow(1, 0, rank - drawn)));
    EXPECT_LE(identity_error(basis).abs().max().item<double>(), 1e-5) << rows << " " << kept;
    if (drawn == 0) continue;
    const double overlap = old.t().mm(basis.narrow(1, rank - drawn, drawn)).abs().max().item<double>();
    if (rows == 20) {
      EXPECT_LE(overlap, 1e-5) << "outside all of the old basis";
    }
  }
}

}  // namespace
}  // namespace galore
