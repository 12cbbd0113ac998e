#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

// Tokens, outputs, inputs, dtype: small ones go to MKL, large ones to oneDNN where that is preferred.
class Matmul : public testing::TestWithParam<std::tuple<int64_t, int64_t, int64_t, at::ScalarType>> {};

TEST_P(Matmul, ThreeProductsReplaceAndAdd) {
  const auto [tokens, outputs, inputs, dtype] = GetParam();
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const at::Tensor x = random({tokens, inputs}, dtype, 1), w = random({outputs, inputs}, dtype, 2);
  const at::Tensor dy = random({tokens, outputs}, dtype, 3);
  const at::Tensor xd = x.to(at::kDouble), wd = w.to(at::kDouble), dyd = dy.to(at::kDouble);
  // Rounding of sums of 700 products at most, and of the result.
  const double allowed = dtype == at::kFloat ? 2e-6 : 8e-3;
  const auto check = [&](const char* name, const at::Tensor& expected, const auto& product) {
    const at::Tensor out = at::full(expected.sizes(), NAN, at::TensorOptions(dtype));
    product(out, Write::replace);
    EXPECT_LT(relative_difference(out, expected), allowed) << name;
    product(out, Write::accumulate);
    EXPECT_LT(relative_difference(out, 2 * expected), allowed) << name << ", accumulated";
  };
  check("x w^T", xd.mm(wd.t()),
        [&](const at::Tensor& out, Write write) { multiply_by_transpose(out, x, w, write, workspace); });
  check("dy w", dyd.mm(wd),
        [&](const at::Tensor& out, Write write) { multiply(out, dy, w, write, workspace); });
  check("dy^T x", dyd.t().mm(xd),
        [&](const at::Tensor& out, Write write) { transpose_multiply(out, dy, x, write); });
}

INSTANTIATE_TEST_SUITE_P(Shapes, Matmul,
                         testing::Combine(testing::Values(1, 5, 300), testing::Values(3, 200),
                                          testing::Values(7, 700),
                                          testing::Values(at::kFloat, at::kBFloat16)));

TEST(Matmul, Bfloat16WeightWithFp32Activations) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const at::Tensor x = random({20, 30}, at::kFloat, 1), w = random({40, 30}, at::kBFloat16, 2);
  const at::Tensor out = at::empty({20, 40});
  multiply_by_transpose(out, x, w, Write::replace, workspace);
  EXPECT_LT(relative_difference(out, x.mm(w.to(at::kFloat).t())), 2e-6);
}

}  // namespace
}  // namespace galore
