#include "kernels/layer_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

class LayerNormKernel : public testing::TestWithParam<std::tuple<int64_t, at::ScalarType>> {
 protected:
  int64_t n_ = std::get<0>(GetParam());
  at::ScalarType dtype_ = std::get<1>(GetParam());
  // The values are far from zero, so that a variance computed as the difference of two sums would be noise.
  LayerNormInputs inputs_{(random({67, n_}, at::kFloat, 1) + 30).to(dtype_), at::empty({67, 2}),
                          random({n_}, at::kFloat, 2)};
  at::Tensor bias_ = random({n_}, at::kFloat, 3);
  Ledger ledger_{at::kCPU};
  Workspace workspace_{ledger_};
};

TEST_P(LayerNormKernel, ForwardIsTheComposedOne) {
  layer_norm_statistics(inputs_.statistics, inputs_.x, 1e-5);
  const at::Tensor statistics = at::empty({67, 2});
  reference::layer_norm_statistics(statistics, inputs_.x, 1e-5);
  EXPECT_LT(relative_difference(inputs_.statistics, statistics), 1e-6);
  const at::Tensor given = at::empty_like(inputs_.x), expected = at::empty_like(inputs_.x);
  layer_norm(given, inputs_, bias_);
  reference::layer_norm(expected, inputs_, bias_);
  EXPECT_LT(relative_difference(given, expected), tolerance(dtype_));
}

TEST_P(LayerNormKernel, BackwardIsTheComposedOneWhateverTheThreads) {
  layer_norm_statistics(inputs_.statistics, inputs_.x, 1e-5);
  const at::Tensor gradient = random({67, n_}, dtype_, 4), before = random({67, n_}, dtype_, 5);
  const auto fresh = [&] { return LayerNormGradients{before.clone(), at::empty({n_}), at::empty({n_})}; };
  const LayerNormGradients given = fresh(), expected = fresh(), alone = fresh();
  layer_norm_backward(given, gradient, inputs_, workspace_);
  reference::layer_norm_backward(expected, gradient, inputs_);
  EXPECT_LT(relative_difference(given.x, expected.x), tolerance(dtype_));
  EXPECT_LT(relative_difference(given.weight, expected.weight), tolerance(at::kFloat));
  EXPECT_LT(relative_difference(given.bias, expected.bias), tolerance(at::kFloat));
  const int threads = at::get_num_threads();
  at::set_num_threads(threads > 1 ? 1 : 2);
  layer_norm_backward(alone, gradient, inputs_, workspace_);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(given.x, alone.x) && at::equal(given.weight, alone.weight) &&
              at::equal(given.bias, alone.bias));
}

INSTANTIATE_TEST_SUITE_P(Shapes, LayerNormKernel,
                         testing::Combine(testing::Values(2, 5, 16, 33, 768),
                                          testing::Values(at::kFloat, at::kBFloat16)));

}  // namespace
}  // namespace galore
