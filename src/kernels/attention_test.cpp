#include "kernels/attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

struct Shape {
  int64_t length, heads, key_heads, dim, window = 0;
  double dropout = 0;
  AttentionScores scores = {};
};

// Returns the tensors in fp64, because fp32 products of libraries are not exact enough for this tolerance.
AttentionTensors in_double(const AttentionTensors& t) {
  const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble); };
  return {wide(t.query), wide(t.key), wide(t.value), wide(t.out), wide(t.logsumexp),
          t.window,      t.dropout,   t.first_row,   {},          {},
          t.scores};
}

class Attention : public testing::TestWithParam<std::tuple<Shape, at::ScalarType>> {
 protected:
  Shape shape_ = std::get<0>(GetParam());
  at::ScalarType dtype_ = std::get<1>(GetParam());
  std::array<int64_t, 4> queries_{2, shape_.length, shape_.heads, shape_.dim};
  std::array<int64_t, 4> keys_{2, shape_.length, shape_.key_heads, shape_.dim};
  AttentionTensors tensors_{
      random(queries_, dtype_, 1) * 2,
      random(keys_, dtype_, 2),
      random(keys_, dtype_, 3),
      at::empty(queries_, dtype_),
      at::empty({2, shape_.heads, shape_.length}),
      shape_.window,
      shape_.dropout > 0 ? std::optional(DropoutMask{RandomStream(5, "test"), shape_.dropout}) : std::nullopt,
      /*first_row=*/3,
      {},
      {},
      shape_.scores};
  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

TEST_P(Attention, ForwardIsTheComposedOne) {
  const AttentionTensors expected = in_double(tensors_);
  attention(tensors_, workspace_);
  reference::attention(expected);
  EXPECT_LT(relative_difference(tensors_.out, expected.out), tolerance(dtype_));
  EXPECT_LT(relative_difference(tensors_.logsumexp, expected.logsumexp), tolerance(at::kFloat));
}

TEST_P(Attention, BackwardIsTheComposedOne) {
  attention(tensors_, workspace_);
  const at::Tensor gradient = random(queries_, dtype_, 4);
  const auto fresh = [&](at::ScalarType dtype) {
    return AttentionGradients{at::full(queries_, NAN, at::TensorOptions(dtype)),
                              at::full(keys_, NAN, at::TensorOptions(dtype)),
                              at::full(keys_, NAN, at::TensorOptions(dtype))};
  };
  const AttentionGradients given = fresh(dtype_), expected = fresh(at::kDouble);
  attention_backward(given, gradient, tensors_, workspace_);
  reference::attention_backward(expected, gradient.to(at::kDouble), in_double(tensors_));
  // With one position the gradients of query and key are zero up to rounding.
  const double scale = expected.value.to(at::kDouble).norm().item<double>();
  const auto difference = [&](const at::Tensor& a, const at::Tensor& b) {
    return (a.to(at::kDouble) - b.to(at::kDouble)).norm().item<double>() / scale;
  };
  EXPECT_LT(difference(given.query, expected.query), tolerance(dtype_));
  EXPECT_LT(difference(given.key, expected.key), tolerance(dtype_));
  EXPECT_LT(difference(given.value, expected.value), tolerance(dtype_));
}

// fp16 has no kernel on the CPU, so it is treated as on a device without a kernel.
TEST(AttentionWithoutAKernel, TakesRowsOneByOne) {
  const std::array<int64_t, 4> queries{3, 9, 4, 8}, keys{3, 9, 2, 8};
  const AttentionTensors given{random(queries, at::kHalf, 1),
                               random(keys, at::kHalf, 2),
                               random(keys, at::kHalf, 3),
                               at::empty(queries, at::kHalf),
                               at::empty({3, 4, 9}),
                               0,
                               DropoutMask{RandomStream(5, "test"), 0.2},
                               4};
  AttentionTensors expected = given;
  expected.out = at::empty_like(given.out), expected.logsumexp = at::empty_like(given.logsumexp);
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  attention(given, workspace);
  reference::attention(expected);
  EXPECT_LT(relative_difference(given.out, expected.out), 1e-3);  // one rounding to fp16
  EXPECT_LT(relative_difference(given.logsumexp, expected.logsumexp), tolerance(at::kFloat));
  const auto fresh = [&] {
    return AttentionGradients{at::empty(queries, at::kHalf), at::empty(keys, at::kHalf),
                              at::empty(keys, at::kHalf)};
  };
  const AttentionGradients gradients = fresh(), expected_gradients = fresh();
  const at::Tensor out_gradient = random(queries, at::kHalf, 4);
  attention_backward(gradients, out_gradient, given, workspace);
  reference::attention_backward(expected_gradients, out_gradient, given);
  EXPECT_LT(relative_difference(gradients.query, expected_gradients.query), 1e-3);
  EXPECT_LT(relative_difference(gradients.key, expected_gradients.key), 1e-3);
  EXPECT_LT(relative_difference(gradients.value, expected_gradients.value), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Attention,
    testing::Combine(testing::Values(Shape{1, 2, 2, 8}, Shape{23, 4, 4, 12}, Shape{64, 2, 1, 64},
                                     Shape{65, 4, 2, 64}, Shape{200, 6, 2, 40}, Shape{130, 2, 2, 128},
                                     Shape{23, 4, 4, 12, 1}, Shape{200, 4, 2, 16, 8},
                                     Shape{200, 4, 2, 16, 64}, Shape{200, 2, 2, 16, 65},
                                     Shape{200, 2, 2, 16, 130}, Shape{30, 2, 2, 16, 30},
                                     Shape{200, 4, 2, 16, 0, 0.2}, Shape{65, 4, 4, 12, 30, 0.5},
                                     Shape{23, 4, 4, 12, 0, 0, {0.7, 0}}, Shape{65, 4, 2, 16, 0, 0, {0, 1.5}},
                                     Shape{200, 2, 1, 12, 30, 0.3, {0.5, 2}}),
                     testing::Values(at::kFloat, at::kBFloat16)));

TEST(AttentionCached, LastPositionsSeeAllEarlierOnesOfTheirWindow) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const at::Tensor q = random({1, 10, 4, 8}, at::kFloat, 1), k = random({1, 10, 2, 8}, at::kFloat, 2);
  const at::Tensor v = random({1, 10, 2, 8}, at::kFloat, 3);
  for (const int64_t window : {0, 1, 4, 9}) {
    const AttentionTensors whole{q, k, v, at::empty_like(q), at::empty({1, 4, 10}), window};
    attention(whole, workspace);
    const at::Tensor out = at::empty({3, 4, 8});
    attention_cached(out, q[0].narrow(0, 7, 3), k[0], v[0], window);
    EXPECT_LT(relative_difference(out, whole.out[0].narrow(0, 7, 3)), tolerance(at::kFloat));
  }
}

TEST(AttentionCached, ScalesAndCapsScores) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const at::Tensor q = random({1, 10, 4, 8}, at::kFloat, 1) * 3, k = random({1, 10, 2, 8}, at::kFloat, 2);
  const at::Tensor v = random({1, 10, 2, 8}, at::kFloat, 3), plain = at::empty({3, 4, 8}),
                   out = plain.clone();
  AttentionTensors whole{q, k, v, at::empty_like(q), at::empty({1, 4, 10})};
  whole.scores = {0.8, 2};
  attention(whole, workspace);
  attention_cached(out, q[0].narrow(0, 7, 3), k[0], v[0], 0, whole.scores);
  attention_cached(plain, q[0].narrow(0, 7, 3), k[0], v[0]);
  EXPECT_LT(relative_difference(out, whole.out[0].narrow(0, 7, 3)), tolerance(at::kFloat));
  EXPECT_GT(relative_difference(out, plain), 0.01);
}

// A broken model must not look healthy behind a cap.
TEST(AttentionWithACap, NotANumberStays) {
  Ledger ledger(at::kCPU);
  Workspace workspace(ledger);
  const at::Tensor q = at::full({1, 3, 1, 8}, NAN), k = at::ones({1, 3, 1, 8});
  AttentionTensors tensors{q, k, k, at::zeros_like(q), at::empty({1, 1, 3})};
  tensors.scores.soft_cap = 5;
  attention(tensors, workspace);
  EXPECT_TRUE(tensors.out.isnan().all().item<bool>());
}

}  // namespace
}  // namespace galore
