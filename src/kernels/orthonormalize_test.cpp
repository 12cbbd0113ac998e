#include "kernels/orthonormalize.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {

struct Buffers {
  Ledger ledger{at::kCPU};
  Workspace workspace{ledger};
};

at::Tensor random(int64_t rows, int64_t columns) {
  return testing_tensors::random({rows, columns}, at::kFloat, 3);
}

double distance_from_orthonormal(const at::Tensor& q) {
  const at::Tensor exact = q.to(at::kDouble);
  return (exact.t().matmul(exact) - at::eye(q.size(1), at::kDouble)).abs().max().item<double>();
}

// Returns columns with singular values that fall from 1 to 1 / condition.
at::Tensor with_condition(int64_t rows, int64_t columns, double condition) {
  const at::Tensor left = std::get<0>(at::linalg_qr(random(rows, columns)));
  const at::Tensor right = std::get<0>(at::linalg_qr(random(columns, columns)));
  const at::Tensor values = at::logspace(0, -std::log10(condition), columns, 10, at::kFloat);
  return (left * values).matmul(right).contiguous();
}

TEST(Orthonormalize, KeepsTheSpanAtEveryConditionNumber) {
  Buffers buffers;
  for (const double condition : {1.0, 1e2, 1e4, 1e6}) {
    const at::Tensor given = with_condition(1500, 40, condition), q = given.clone();
    orthonormalize(q, buffers.workspace);
    // Sums of 1500 products of fp32 numbers below 1 have errors of a few units of 6e-8 each, in random order.
    EXPECT_LT(distance_from_orthonormal(q), 2e-6) << condition;
    const at::Tensor exact = q.to(at::kDouble), source = given.to(at::kDouble);
    const double lost = (source - exact.matmul(exact.t().matmul(source))).norm().item<double>();
    EXPECT_LT(lost / source.norm().item<double>(), 2e-6) << condition;
  }
}

TEST(Orthonormalize, ServesDependentAndZeroColumns) {
  Buffers buffers;
  at::Tensor dependent = random(300, 12);
  dependent.select(1, 7).copy_(dependent.select(1, 2));
  orthonormalize(dependent, buffers.workspace);
  EXPECT_LT(distance_from_orthonormal(dependent), 2e-6);
  at::Tensor zero = at::zeros({300, 12});
  orthonormalize(zero, buffers.workspace);
  EXPECT_TRUE(zero.isfinite().all().item<bool>());
}

TEST(Orthonormalize, SpansWhatEachLeadingGroupOfColumnsSpanned) {
  Buffers buffers;
  const at::Tensor given = random(200, 20), q = given.clone();
  orthonormalize(q, buffers.workspace);
  const at::Tensor head = q.narrow(1, 0, 5), source = given.narrow(1, 0, 5);
  EXPECT_LT((source - head.matmul(head.t().matmul(source))).norm().item<double>(),
            1e-5 * source.norm().item<double>());
}

// For numbers of any size and for dependent or zero columns, the result is finite and inside the span, and no
// direction is weaker than the shift allows.
TEST(Condition, BringsColumnsTogether) {
  Buffers buffers;
  for (const double size : {1e-25, 1.0, 1e15}) {
    const at::Tensor given = with_condition(1500, 40, 1e3), columns = given * size;
    condition(columns, buffers.workspace);
    const at::Tensor values = at::linalg_svdvals(columns);
    EXPECT_LT(values[0].item<double>(), 2) << size;
    EXPECT_GT(values[39].item<double>(), 0.05) << size;  // of 10^-3
    const at::Tensor q = std::get<0>(at::linalg_qr(given));
    EXPECT_LT((columns - q.matmul(q.t().matmul(columns))).norm().item<double>(), 1e-3) << size;
  }
  at::Tensor dependent = random(300, 12);
  dependent.select(1, 7).copy_(dependent.select(1, 2));
  dependent.select(1, 9).zero_();
  condition(dependent, buffers.workspace);
  EXPECT_TRUE(dependent.isfinite().all().item<bool>());
  EXPECT_EQ(dependent.select(1, 9).abs().max().item<double>(), 0);
}

TEST(Orthonormalize, ClaimsItsBuffersInACountingRun) {
  Buffers real;
  Ledger counting(at::kMeta);
  Workspace workspace(counting);
  orthonormalize(with_condition(2000, 33, 1e5), real.workspace);  // this needs every buffer
  orthonormalize(at::empty({2000, 33}, at::TensorOptions().device(at::kMeta)), workspace);
  EXPECT_EQ(real.ledger.total(), counting.total());
}

}  // namespace
}  // namespace galore
