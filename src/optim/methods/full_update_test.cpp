// Tests properties of the directions of SinkGD, SWAN, Muon, RACS, SCALE and Adam-mini that can be checked
// without repeating their steps. tests/vectors/family tests their numbers.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "optim/methods/test_method.h"

namespace galore {
namespace {

using testing_method::kShapes;
using testing_method::OneMethod;
using testing_optimizer::all_kinds;
using testing_optimizer::kEmbedding;
using testing_optimizer::kTall;
using testing_optimizer::random;
using testing_optimizer::relative_difference;
using testing_optimizer::same_bits;
using testing_optimizer::TestRun;

at::Tensor first_direction(const std::string& optim, const std::string& args, const at::Tensor& gradient) {
  return OneMethod(optim, args, gradient.size(0), gradient.size(1)).full(gradient, 1, false);
}

TEST(Sinkgd, MakesRowsAndColumnsEquallyLong) {
  for (const auto& [m, n] : kShapes) {
    const at::Tensor d = first_direction("sinkgd", "iterations=200,scale=0.5", random({m, n}, 1));
    const double element = 0.5;  // the root mean square of every row and column after convergence
    EXPECT_TRUE(d.square().mean(1).sqrt().allclose(at::full({m}, element), 1e-3));
    EXPECT_TRUE(d.square().mean(0).sqrt().allclose(at::full({n}, element), 1e-3));
  }
}

TEST(Sinkgd, DoesNotDependOnTheSizeOfTheGradient) {
  const at::Tensor g = random({24, 16}, 1);
  const at::Tensor expected = first_direction("sinkgd", "", g);
  for (const double size :
       {1e-12, 1e-3, 1e12})  // their squares leave the range in which fp32 weights would be safe
    EXPECT_LE(relative_difference(first_direction("sinkgd", "", g * size), expected), 1e-5) << size;
  EXPECT_TRUE(at::equal(first_direction("sinkgd", "", at::zeros({24, 16})), at::zeros({24, 16})));
}

at::Tensor singular_values(const at::Tensor& x) { return std::get<1>(at::linalg_svd(x, false)); }

// Five quintic steps bring singular values between 0.7 and 1.2. More steps do not bring them closer together.
TEST(Muon, MakesSingularValuesAlike) {
  for (const auto& [m, n] : kShapes) {
    for (const std::string dtype : {"float32", "bfloat16"}) {
      const at::Tensor d = first_direction("muon", "scale=2,ns_dtype=" + dtype, random({m, n}, 1));
      const double factor = 2 * std::sqrt(std::max(1.0, static_cast<double>(m) / static_cast<double>(n)));
      const at::Tensor s = singular_values(d) / factor;
      EXPECT_GT(s.min().item<double>(), 0.6) << m << " " << n << dtype;
      EXPECT_LT(s.max().item<double>(), 1.25) << m << " " << n << dtype;
    }
  }
}

TEST(Muon, WithoutStepsIsNormalizedMomentum) {
  OneMethod muon("muon", "ns_steps=0,ns_dtype=float32,nesterov=false,momentum=0.5", 16, 24);
  const at::Tensor first = random({16, 24}, 1), second = random({16, 24}, 2);
  muon.full(first, 1, false);
  const at::Tensor average = 0.25 * first + 0.5 * second;
  EXPECT_LE(relative_difference(muon.full(second, 2, false), average / average.norm()),
            1e-6);  // fp32 rounding
}

TEST(Swan, WhitensStandardizedRows) {
  const at::Tensor g = random({16, 48}, 1) * random({16, 1}, 2).exp() + random({16, 1}, 3);
  const at::Tensor d = first_direction("swan", "scale=2", g);
  // A standardized row has the length sqrt(48).
  EXPECT_NEAR(d.norm().item<double>(), 2 * std::sqrt(16.0 * 48), 1e-3);
  const at::Tensor s = singular_values(d);
  EXPECT_LT((s.max() / s.min()).item<double>(), 2);
  // The scale of a row does not matter, and neither does a constant added to it.
  EXPECT_LE(relative_difference(first_direction("swan", "scale=2", 3 * g + 5), d), 1e-4);
  EXPECT_TRUE(at::equal(first_direction("swan", "", at::ones({16, 48})), at::zeros({16, 48})));
}

// Squares of rank one equal the product of their fixed point at once, so only signs are left.
TEST(Racs, OfARankOneGradientIsItsSigns) {
  const at::Tensor g = random({24, 1}, 1).mm(random({1, 16}, 2));
  const at::Tensor d = first_direction("racs", "racs_beta=0,scale=0.5", g);
  EXPECT_LE(relative_difference(d, 0.5 * g.sign()), 1e-5);  // sums in fp32
  for (const double size : {1e-9, 1e9})
    EXPECT_LE(relative_difference(first_direction("racs", "racs_beta=0,scale=0.5", g * size), d), 1e-4)
        << size;
}

// With the same gradient again, q and s are 1.99 times their first values, and the norm is divided by 1.99.
TEST(Racs, LimitsTheGrowthOfItsNorm) {
  const at::Tensor g = random({24, 16}, 1);
  for (const auto& [limiter, ratio] : {std::pair{"0", 1 / 1.99}, {"1.01", 1 / 1.99}, {"0.4", 0.4}}) {
    OneMethod racs("racs", std::string("racs_beta=0.99,limiter=") + limiter, 24, 16);
    const double first = racs.full(g, 1, false).norm().item<double>();
    EXPECT_NEAR(racs.full(g, 2, false).norm().item<double>() / first, ratio, 1e-5) << limiter;
  }
}

TEST(Scale, GivesEachRowOneSize) {
  TestRun run("scale", "", all_kinds());
  run.update(1, 1);
  for (const auto& [name, start] : all_kinds()) {
    const at::Tensor moved = (start - run.weight(name)).to(at::kDouble);
    if (moved.dim() == 1) continue;
    const at::Tensor size = moved.square().mean(name == kEmbedding ? 0 : 1).sqrt();
    EXPECT_TRUE(size.allclose(at::ones_like(size), 0, 1e-5)) << name;
  }
}

TEST(Scale, AveragesTheHeadAlone) {
  const char* const head = "lm_head.weight";
  TestRun run("scale", "head_momentum=0.5", {{head, at::zeros({20, 16})}, {kTall, at::zeros({24, 16})}});
  const at::Tensor a = random({20, 16}, 1), b = random({20, 16}, 2), c = random({24, 16}, 3),
                   d = random({24, 16}, 4);
  run.update({{a, c}}, 1);
  const at::Tensor head_before = run.weight(head).clone(), before = run.weight(kTall).clone();
  run.update({{b, d}}, 1);
  const at::Tensor average = 0.25 * a + 0.5 * b;
  const at::Tensor expected = average / average.square().mean(1, true).sqrt();
  EXPECT_LE(relative_difference(head_before - run.weight(head), expected), 1e-6);  // fp32 weights
  EXPECT_LE(relative_difference(before - run.weight(kTall), d / d.square().mean(1, true).sqrt()), 1e-6);
  EXPECT_EQ(run.ledger.bytes(Owner::moments), 4 * 20 * 16);
}

// When all elements of a row have the same size, their mean square equals the square of each.
TEST(AdamMini, OfRowsOfOneSizeIsAdam) {
  TestRun mini("adam_mini", "", all_kinds()), adam("adamw_torch", "", all_kinds());
  for (uint64_t t = 1; t <= 4; ++t) {
    auto gradients = mini.gradients(t);
    for (at::Tensor& g : gradients)
      if (g.dim() == 2) g = g.sign() * random({g.size(0), 1}, t).abs();
    mini.update({gradients}), adam.update({gradients});
  }
  for (const auto& [name, start] : all_kinds()) {
    const double difference = relative_difference(mini.weight(name) - start, adam.weight(name) - start);
    EXPECT_LE(difference, 1e-5) << name;  // displacements in fp32
    if (name == kEmbedding || start.dim() == 1) {
      EXPECT_TRUE(same_bits(mini.weight(name), adam.weight(name))) << name;
    }
  }
}

}  // namespace
}  // namespace galore
