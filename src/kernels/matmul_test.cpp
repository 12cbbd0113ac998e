#include "kernels/matmul.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/group_quantize.h"
#include "kernels/test_tensors.h"

namespace at::native {  // declared as in matmul.cpp
__attribute__((weak)) void mkldnn_matmul(const at::Tensor& left, const at::Tensor& right,
                                         const at::Tensor& result, float beta, float alpha);
}

namespace galore {
namespace {
using namespace testing_tensors;

// Without the symbol, products run by MKL, which is slow on AMD processors with AVX-512, and nothing else
// would reveal it.
TEST(Matmul, LibtorchExportsTheProductOfOnednn) {
  EXPECT_NE(&at::native::mkldnn_matmul, nullptr)
      << "this libtorch has no at::native::mkldnn_matmul with the signature that kernels/matmul.cpp declares";
}

// Tokens, outputs, inputs, dtype: small products go to MKL, and large ones to oneDNN if it is preferred.
class Matmul : public testing::TestWithParam<std::tuple<int64_t, int64_t, int64_t, at::ScalarType>> {};

TEST_P(Matmul, ThreeProductsReplaceAndAdd) {
  const auto [tokens, outputs, inputs, given] = GetParam();
  const at::ScalarType dtype = given;
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const at::Tensor x = random({tokens, inputs}, dtype, 1), w = random({outputs, inputs}, dtype, 2);
  const at::Tensor dy = random({tokens, outputs}, dtype, 3);
  const at::Tensor xd = x.to(at::kDouble), wd = w.to(at::kDouble), dyd = dy.to(at::kDouble);
  // The tolerance is rounding of sums of at most 700 products, and of the result.
  const double allowed = dtype == at::kFloat ? 2e-6 : 8e-3;
  const auto check = [&](const char* name, const at::Tensor& expected, const auto& product) {
    const at::Tensor out = at::full(expected.sizes(), NAN, at::TensorOptions(dtype));
    product(out, Write::replace);
    EXPECT_LT(relative_difference(out, expected), allowed) << name;
    product(out, Write::accumulate);
    EXPECT_LT(relative_difference(out, 2 * expected), allowed) << name << ", accumulated";
  };
  check("x w^T", xd.mm(wd.t()),
        [&](const at::Tensor& out, Write write) { product_x_wt(out, x, w, write, workspace); });
  check("dy w", dyd.mm(wd),
        [&](const at::Tensor& out, Write write) { product_x_w(out, dy, w, write, workspace); });
  check("dy^T x", dyd.t().mm(xd),
        [&](const at::Tensor& out, Write write) { product_dyt_x(out, dy, x, write); });
}

INSTANTIATE_TEST_SUITE_P(Shapes, Matmul,
                         testing::Combine(testing::Values(1, 5, 300), testing::Values(3, 200),
                                          testing::Values(7, 700),
                                          testing::Values(at::kFloat, at::kBFloat16)));

// The product is large enough for oneDNN if it is preferred.
TEST(Matmul, AResultWithContiguousColumns) {
  const at::Tensor left = random({150, 120}, at::kFloat, 1), right = random({120, 130}, at::kFloat, 2);
  const at::Tensor expected = left.to(at::kDouble).mm(right.to(at::kDouble));
  const at::Tensor out = at::full({130, 150}, NAN).t();
  matrix_product(out, left, right, Write::replace);
  EXPECT_LT(relative_difference(out, expected), 2e-6);  // sums of 120 products
  matrix_product(out, left, right, Write::accumulate);
  EXPECT_LT(relative_difference(out, 2 * expected), 2e-6);
}

// There are one strip, two, and five with few rows in the last one; either the rows of x or its columns are
// contiguous.
TEST(Matmul, SymmetricProductMirrorsItsStrips) {
  for (const int64_t side : {1, 100, 300, 1030}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const at::Tensor x = random({side, 90}, dtype, 1), turned = x.t().contiguous().t();
      const at::Tensor expected = x.to(at::kDouble).mm(x.to(at::kDouble).t());
      for (const at::Tensor& given : {x, turned}) {
        const at::Tensor out = at::full({side, side}, NAN, at::TensorOptions(dtype));
        symmetric_product(out, given);
        EXPECT_LT(relative_difference(out, expected), dtype == at::kFloat ? 2e-6 : 8e-3) << side;
      }
    }
  }
}

// Compares both products with a weight that is converted on the way with products with the converted weight.
// The weight is small, or so large that it is taken in parts: 16 MiB are 4096 rows of 1024 numbers in fp32,
// and 8192 rows or columns in bf16.
template <typename Weight>
void expect_products(const Weight& weight, const at::Tensor& converted) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const int64_t outputs = converted.size(0), inputs = converted.size(1), tokens = 5;
  const at::ScalarType dtype = converted.scalar_type();
  const at::Tensor x = random({tokens, inputs}, dtype, 1), dy = random({tokens, outputs}, dtype, 3);
  const at::Tensor w = converted.to(at::kDouble);
  // The tolerance is sums of some thousand products in another order and, in bf16, rounding of the result.
  const double allowed = dtype == at::kFloat ? 4e-6 : 4e-3;
  for (const Write write : {Write::replace, Write::accumulate}) {
    const double before = write == Write::accumulate ? 2 : 0;
    const at::Tensor y = at::full({tokens, outputs}, 2, at::TensorOptions(dtype));
    product_x_wt(y, x, weight, write, workspace);
    EXPECT_LT(relative_difference(y, x.to(at::kDouble).mm(w.t()) + before), allowed);
    const at::Tensor dx = at::full({tokens, inputs}, 2, at::TensorOptions(dtype));
    product_x_w(dx, dy, weight, write, workspace);
    EXPECT_LT(relative_difference(dx, dy.to(at::kDouble).mm(w) + before), allowed);
  }
  EXPECT_LE(ledger.total(), int64_t{16} << 20);
}

const std::vector<std::vector<int64_t>> kWeightShapes{{40, 30}, {9001, 1027}, {1027, 9001}};

TEST(Matmul, Bfloat16WeightWithFp32Activations) {
  for (const auto& shape : kWeightShapes) {
    const at::Tensor weight = random(shape, at::kBFloat16, 2);
    expect_products(weight, weight.to(at::kFloat));
  }
}

TEST(Matmul, WeightInCodes) {
  for (const auto& shape : kWeightShapes) {
    Ledger ledger(at::kCPU);
    const GroupQuantized weight = zero_group_codes({8, 256}, shape, Owner::weights, ledger);
    kernels::encode_groups(random(shape, at::kFloat, 2), weight, nullptr);
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const at::Tensor converted = at::empty(shape, at::TensorOptions(dtype));
      kernels::decode_groups(weight, converted);
      expect_products(weight, converted);
    }
  }
}

// The plan counts the same bytes as the run.
TEST(Matmul, WeightInCodesOnTheMetaDevice) {
  const auto bytes = [](at::Device device) {
    Ledger ledger(device);
    Workspace workspace(ledger);
    const GroupQuantized weight = zero_group_codes({8, 256}, {3000, 2000}, Owner::weights, ledger);
    const auto options = at::TensorOptions(at::kFloat).device(device);
    product_x_wt(at::empty({2, 3000}, options), at::zeros({2, 2000}, options), weight, Write::replace,
                 workspace);
    product_x_w(at::empty({2, 2000}, options), at::zeros({2, 3000}, options), weight, Write::replace,
                workspace);
    return ledger.total();
  };
  EXPECT_EQ(bytes(at::kMeta), bytes(at::kCPU));
}

}  // namespace
}  // namespace galore
