#include "kernels/swiglu.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

class Swiglu : public testing::TestWithParam<at::ScalarType> {
 protected:
  at::ScalarType dtype_ = GetParam();
  at::Tensor gate_ = random({7, 1201}, dtype_, 1) * 4, up_ = random({7, 1201}, dtype_, 2);
  at::Tensor gradient_ = random({7, 1201}, dtype_, 3);
};

TEST_P(Swiglu, ForwardIsTheComposedOne) {
  const at::Tensor out = at::empty_like(up_), expected = at::empty_like(up_);
  swiglu(out, gate_, up_);
  reference::swiglu(expected, gate_, up_);
  EXPECT_LT(relative_difference(out, expected), tolerance(dtype_));
}

TEST_P(Swiglu, BackwardIsTheComposedOneAndRestoresTheProductToTheBit) {
  const at::Tensor product = at::empty_like(up_);
  swiglu(product, gate_, up_);
  const at::Tensor gate = gate_.clone(), up = up_.clone(), out = gradient_.clone();
  swiglu_backward(gate, up, out);
  EXPECT_TRUE(at::equal(out, product));
  const at::Tensor expected_gate = gate_.clone(), expected_up = up_.clone(), expected = gradient_.clone();
  reference::swiglu_backward(expected_gate, expected_up, expected);
  EXPECT_LT(relative_difference(gate, expected_gate), tolerance(dtype_));
  EXPECT_LT(relative_difference(up, expected_up), tolerance(dtype_));
}

TEST_P(Swiglu, LargeGatesStayFinite) {
  const at::Tensor gate = at::tensor({-1e4, -200.0, -90.0, 90.0, 200.0, 1e4}).to(dtype_);
  const at::Tensor up = at::ones_like(gate), out = at::empty_like(gate), expected = at::empty_like(gate);
  swiglu(out, gate, up);
  reference::swiglu(expected, gate, up);
  EXPECT_TRUE(at::allclose(out, expected, 1e-6, 1e-33)) << out;
  swiglu_backward(gate, up, out);
  EXPECT_TRUE(gate.isfinite().all().item<bool>());
}

TEST_P(Swiglu, NotANumberStays) {
  const at::Tensor gate = at::full({3}, NAN).to(dtype_), up = at::ones({3}).to(dtype_),
                   out = at::zeros_like(up);
  swiglu(out, gate, up);
  EXPECT_TRUE(out.isnan().all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Dtypes, Swiglu, testing::Values(at::kFloat, at::kBFloat16));

}  // namespace
}  // namespace galore
