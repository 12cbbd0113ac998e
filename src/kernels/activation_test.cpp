#include "kernels/activation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/swiglu.h"
#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

class ActivationByName : public testing::TestWithParam<std::string> {
 protected:
  const Activation& f_ = *find_activation(GetParam());
};

// Points are away from the corners of functions that have corners. In fp64 the difference quotient is exact
// to 1e-8.
TEST_P(ActivationByName, GradientIsTheSlope) {
  const at::Tensor x = at::arange(-97, 98, at::kDouble) * 0.083 + 0.0211,
                   step = at::full({}, 1e-6, at::kDouble);
  const at::Tensor slope = (f_.value(x + step) - f_.value(x - step)) / (2 * step);
  EXPECT_LT((f_.gradient(at::ones_like(x), x) - slope).abs().max().item<double>(), 1e-7);
  EXPECT_TRUE(f_.gradient(3 * at::ones_like(x), x).allclose(3 * f_.gradient(at::ones_like(x), x)));
}

// More numbers than one piece.
TEST_P(ActivationByName, PiecesAndGatesGiveTheWhole) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor gate = random({70, 1201}, dtype, 1) * 3, up = random({70, 1201}, dtype, 2);
    const at::Tensor gradient = random({70, 1201}, dtype, 3), out = at::empty_like(gate);
    const at::Tensor g = gate.to(at::kFloat), u = up.to(at::kFloat), d = gradient.to(at::kFloat);
    activate(out, gate, f_);
    EXPECT_LT(relative_difference(out, f_.value(g)), tolerance(dtype));
    gated(out, gate, up, f_);
    EXPECT_LT(relative_difference(out, f_.value(g) * u), tolerance(dtype));
    const at::Tensor x = gate.clone(), own_gate = gate.clone(), own_up = up.clone(),
                     product = gradient.clone();
    activate_backward(x, gradient, f_);
    EXPECT_LT(relative_difference(x, f_.gradient(d, g)), tolerance(dtype));
    gated_backward(own_gate, own_up, product, f_);
    EXPECT_TRUE(product.equal(out));
    EXPECT_LT(relative_difference(own_gate, f_.gradient(d * u, g)), tolerance(dtype));
    EXPECT_LT(relative_difference(own_up, d * f_.value(g)), tolerance(dtype));
  }
}

INSTANTIATE_TEST_SUITE_P(All, ActivationByName, testing::ValuesIn(activation_names()),
                         [](const auto& info) { return info.param; });

TEST(Activation, OfSiluIsSwiglu) {
  const at::Tensor gate = random({9, 100}, at::kFloat, 1), up = random({9, 100}, at::kFloat, 2);
  const at::Tensor out = at::empty_like(gate), expected = at::empty_like(gate);
  gated(out, gate, up, *find_activation("silu"));
  swiglu(expected, gate, up);
  EXPECT_LT(relative_difference(out, expected), tolerance(at::kFloat));
}

TEST(Activation, WithParametersOfItsOwnIsUnknown) {
  EXPECT_EQ(find_activation("prelu"), nullptr);
  EXPECT_EQ(find_activation("xielu"), nullptr);
}

}  // namespace
}  // namespace galore
