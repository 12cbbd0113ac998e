// The two ways to find a basis: exactly, and by randomized iteration.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "optim/subspaces/failing_operator.h"
#include "optim/subspaces/iteration.h"
#include "optim/subspaces/svd.h"
#include "optim/subspaces/test_subspace.h"

namespace galore {
namespace {

using testing_optimizer::FailingOperator;
using testing_optimizer::Fails;
using testing_optimizer::kStream;
using testing_optimizer::orthonormal;
using testing_optimizer::random;

struct Known {
  at::Tensor left, values, right, matrix;
};

// Returns an m x n matrix with these singular values.
Known with_spectrum(int64_t m, int64_t n, const at::Tensor& values) {
  Known known{orthonormal(m, values.size(0), 1), values, orthonormal(n, values.size(0), 2), {}};
  known.matrix = (known.left * values).matmul(known.right.t());
  return known;
}

at::Tensor halving(int64_t count) { return at::pow(0.5, at::arange(count, at::kFloat)); }

// Returns the largest difference between |a^T b| and the identity: 0 when the columns agree up to their
// signs.
double disagreement(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor identity = at::eye(a.size(1));
  return (a.t().matmul(b).abs() - identity).abs().max().item<double>();
}

// Searches with a separate workspace, which the result keeps alive.
std::optional<SingularVectors> search(BasisFinder finder, const at::Tensor& matrix, Side side, int64_t rank,
                                      const at::Tensor& previous = {}) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  return finder(DenseGradient(matrix), {side, rank, previous, kStream, workspace});
}

double energy_inside(const at::Tensor& matrix, const at::Tensor& right) {
  return matrix.matmul(right).square().sum().item<double>();
}

class Finders : public testing::TestWithParam<std::string> {
 protected:
  BasisFinder find_ = basis_kind(GetParam()).finder;
};

// The tolerance is fp32 rounding (6e-8 of the largest value) divided by the gap to the next value, which is
// 1/32 of the largest for the fifth of halving values, times some matrix sizes.
TEST_P(Finders, FindKnownSingularVectors) {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{40, 30}, {30, 40}, {35, 35}}) {
    const Known known = with_spectrum(m, n, halving(20));
    for (const Side side : {Side::right, Side::left, Side::both}) {
      const auto found = search(find_, known.matrix, side, 5);
      ASSERT_TRUE(found);
      EXPECT_LE((found->values / known.values.narrow(0, 0, 5) - 1).abs().max().item<double>(), 2e-5);
      if (side != Side::right) {
        EXPECT_LE(disagreement(found->left, known.left.narrow(1, 0, 5)), 2e-5);
      }
      if (side != Side::left) {
        EXPECT_LE(disagreement(found->right, known.right.narrow(1, 0, 5)), 2e-5);
      }
      if (side != Side::both) continue;
      // The vectors of a pair belong together: their signs agree.
      const at::Tensor diagonal = found->left.t().matmul(known.matrix).matmul(found->right);
      EXPECT_TRUE(diagonal.allclose(at::diag(known.values.narrow(0, 0, 5)), 0, 2e-5));
    }
  }
}

TEST_P(Finders, GiveTheWholeSpaceAtFullRank) {
  const at::Tensor matrix = random({12, 30}, 7);
  for (const Side side : {Side::right, Side::left, Side::both}) {
    const auto found = search(find_, matrix, side, 12);
    ASSERT_TRUE(found);
    // Tolerances are fp32 rounding times the matrix size.
    if (side != Side::right) {
      EXPECT_TRUE(found->left.t().matmul(found->left).allclose(at::eye(12), 0, 1e-5));
      EXPECT_TRUE(found->left.matmul(found->left.t()).matmul(matrix).allclose(matrix, 0, 1e-5));
    }
    if (side == Side::left) continue;
    EXPECT_TRUE(matrix.matmul(found->right).matmul(found->right.t()).allclose(matrix, 0, 1e-5));
  }
}

TEST_P(Finders, DoNotDependOnTheSizeOfNumbers) {
  const Known known = with_spectrum(40, 30, halving(20));
  for (const double size : {1e-25, 1e-10, 1e10, 1e30}) {
    const auto found = search(find_, known.matrix * size, Side::right, 5);
    ASSERT_TRUE(found) << size;
    EXPECT_LE(disagreement(found->right, known.right.narrow(1, 0, 5)), 2e-5) << size;
  }
}

TEST_P(Finders, FailOnNumbersThatAreNotFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    at::Tensor matrix = random({12, 30}, 7);
    matrix[3][4] = bad;
    EXPECT_FALSE(search(find_, matrix, Side::right, 4));
  }
}

TEST_P(Finders, SayThatZerosDetermineNothing) {
  const auto found = search(find_, at::zeros({12, 30}), Side::right, 4);
  if (found) {
    EXPECT_EQ(found->values.max().item<float>(), 0);
  }
}

TEST_P(Finders, AreRepeatable) {
  const at::Tensor matrix = random({50, 30}, 7);
  const auto first = search(find_, matrix, Side::right, 4);
  const auto second = search(find_, matrix, Side::right, 4);
  EXPECT_TRUE(at::equal(first->right, second->right));
}

INSTANTIATE_TEST_SUITE_P(Both, Finders, testing::Values("randomized", "sketch", "svd", "warm"),
                         [](const auto& info) { return info.param; });

// Spectra decay fast or slowly, down to the decay of gradients of trained models.
TEST(RandomizedIteration, CapturesTheEnergyOfTheExactBasis) {
  const at::Tensor index = at::arange(1, 101, at::kFloat);
  const std::vector<at::Tensor> spectra{at::pow(0.5, index), at::pow(0.9, index), index.pow(-1),
                                        index.pow(-0.5)};
  for (size_t i = 0; i < spectra.size(); ++i) {
    const Known known = with_spectrum(160, 100, spectra[i]);
    for (const int64_t rank : {4, 16, 64}) {
      const double exact = known.values.narrow(0, 0, rank).square().sum().item<double>();
      const auto cold = search(find_by_randomized_iteration, known.matrix, Side::right, rank, {});
      EXPECT_GE(energy_inside(known.matrix, cold->right), 0.99 * exact) << i << " " << rank;
      const auto left = search(find_by_randomized_iteration, known.matrix, Side::left, rank, {});
      EXPECT_GE(energy_inside(known.matrix.t(), left->left), 0.99 * exact) << i << " " << rank;
      // The old basis may belong to another gradient.
      const auto warm = search(find_by_randomized_iteration, known.matrix, Side::right, rank, cold->right);
      EXPECT_GE(energy_inside(known.matrix, warm->right), 0.99 * exact) << i << " " << rank;
      const at::Tensor other = orthonormal(100, rank, 9);
      const auto turned = search(find_by_randomized_iteration, known.matrix, Side::right, rank, other);
      EXPECT_GE(energy_inside(known.matrix, turned->right), 0.99 * exact) << i << " " << rank;
    }
  }
}

// One iteration starts from the basis of a gradient that has moved by a tenth of its size since.
TEST(WarmIteration, FollowsAGradientThatDrifts) {
  const Known known = with_spectrum(160, 100, at::arange(1, 101, at::kFloat).pow(-0.5));
  at::Tensor drift = random({160, 100}, 5);
  drift = drift * (0.1 * known.matrix.norm() / drift.norm());
  const at::Tensor moved = known.matrix + drift;
  for (const int64_t rank : {4, 16, 64}) {
    const auto old = search(find_by_svd, known.matrix, Side::right, rank);
    const auto exact = search(find_by_svd, moved, Side::right, rank);
    const auto warm = search(find_by_warm_iteration, moved, Side::right, rank, old->right);
    EXPECT_GE(energy_inside(moved, warm->right), 0.99 * energy_inside(moved, exact->right)) << rank;
  }
}

TEST(RandomizedIteration, FailsWithoutAbortingWhenLapackDoes) {
  const FailingOperator failing(Fails::eigh);
  EXPECT_FALSE(search(find_by_randomized_iteration, random({12, 30}, 7), Side::right, 4, {}));
}

TEST(Svd, FallsBackToTheGramMatrix) {
  const FailingOperator failing(Fails::svd);
  ASSERT_THROW(at::linalg_svd(random({12, 30}, 7), false), c10::Error);
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{40, 30}, {30, 40}}) {
    const Known known = with_spectrum(m, n, halving(20));
    const auto found = search(find_by_svd, known.matrix, Side::both, 5, {});
    ASSERT_TRUE(found);
    // The tolerances are those of FindKnownSingularVectors; the Gram matrix is in fp64.
    EXPECT_LE(disagreement(found->left, known.left.narrow(1, 0, 5)), 2e-5);
    EXPECT_LE(disagreement(found->right, known.right.narrow(1, 0, 5)), 2e-5);
    EXPECT_LE((found->values / known.values.narrow(0, 0, 5) - 1).abs().max().item<double>(), 2e-5);
  }
}

TEST(Svd, FailsWithoutAbortingWhenTheFallbackDoes) {
  const FailingOperator svd(Fails::svd), eigh(Fails::eigh);
  EXPECT_FALSE(search(find_by_svd, random({12, 30}, 7), Side::right, 4, {}));
}

}  // namespace
}  // namespace galore
