#include "kernels/apply_direction.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/adamw.h"

namespace galore::kernels {
namespace {

TEST(AdamW, FusedEqualsComposed) {
  at::manual_seed(2);
  for (const int64_t count : {1L, 31L, 100003L}) {
    at::Tensor m1 = at::randn({count}), v1 = at::rand({count}), g1 = at::randn({count});
    at::Tensor m2 = m1.clone(), v2 = v1.clone(), g2 = g1.clone();
    const AdamStep step{0.9, 0.999, 1e-6f, 3.0f};
    adamw_direction(step, g1, m1, v1);
    composed::adamw_direction(step, g2, m2, v2);
    // A fused multiply-add rounds once where the composed version rounds twice.
    EXPECT_TRUE(m1.allclose(m2, 1e-6, 1e-7));
    EXPECT_TRUE(v1.allclose(v2, 1e-6, 1e-7));
    EXPECT_TRUE(g1.allclose(g2, 1e-5, 1e-6));
  }
}

// The counts leave every kind of remainder, in one piece and in several.
TEST(AdamW, OnePassHasTheBitsOfTwo) {
  const RandomStream stream(7, "test", "w", 3);
  const AdamStep step{0.9, 0.999, 1e-6f, 3.0f};
  const int before = at::get_num_threads();
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    for (const int64_t count : {1L, 31L, 2049L, 100003L})
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kHalf})
        for (const RandomStream* random : {static_cast<const RandomStream*>(nullptr), &stream}) {
          at::manual_seed(2);
          const at::Tensor gradient = at::randn({count});
          at::Tensor m1 = at::randn({count}), v1 = at::rand({count}), weight1 = at::randn({count}).to(dtype);
          at::Tensor m2 = m1.clone(), v2 = v1.clone(), weight2 = weight1.clone(), g2 = gradient.clone();
          const WeightUpdate update{1e-2, 0.99, 0.999, random};
          apply_adamw({step, gradient, m1, v1}, update, weight1);
          adamw_direction(step, g2, m2, v2);
          apply_direction(update, g2, weight2);
          EXPECT_TRUE(at::equal(m1, m2) && at::equal(v1, v2) && at::equal(weight1, weight2)) << count;
        }
  }
  at::set_num_threads(before);
}

TEST(ApplyDirection, DecayOrderIsKept) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    at::Tensor weight = at::full({8}, 2.0, dtype);
    apply_direction({0.5, 0.5, 1.0, nullptr}, at::ones({8}), weight);
    EXPECT_EQ(weight[0].item<float>(), 0.5f);  // 2 * 0.5 - 0.5
    weight.fill_(2.0);
    apply_direction({0.5, 1.0, 0.5, nullptr}, at::ones({8}), weight);
    EXPECT_EQ(weight[0].item<float>(), 0.75f);  // (2 - 0.5) * 0.5
  }
}

// Compares the kernels with the formulas that they share with devices, element by element and to the bit. The
// counts leave every kind of remainder.
TEST(ApplyDirection, BFloat16WeightsFollowTheFormulas) {
  const RandomStream stream(7, "test", "w", 3);
  const formulas::UpdateFactors factors{1e-3f, 0.999f, 0.99f};
  for (const int64_t count : {1L, 7L, 8L, 127L, 129L, 16384L, 100003L}) {
    at::manual_seed(4);
    const at::Tensor before = at::randn({count}).to(at::kBFloat16), direction = at::randn({count});
    direction[0] = std::numeric_limits<float>::infinity();
    direction[count / 2] = std::numeric_limits<float>::quiet_NaN();
    for (const bool stochastic : {false, true}) {
      at::Tensor weight = before.clone();
      apply_direction({1e-3, 0.999, 0.99, stochastic ? &stream : nullptr}, direction, weight);
      for (int64_t i = 0; i < count; ++i) {
        const float exact = formulas::updated_weight(factors, before.data_ptr<at::BFloat16>()[i],
                                                     direction.data_ptr<float>()[i]);
        const auto words = stream.block(static_cast<uint64_t>(i / formulas::kRoundingsPerBlock));
        const uint32_t bits = formulas::rounding_bits(words, i % formulas::kRoundingsPerBlock);
        ASSERT_EQ(weight.data_ptr<at::BFloat16>()[i].x,
                  stochastic ? formulas::round_stochastic(exact, bits) : formulas::round_nearest(exact))
            << i << " of " << count;
      }
    }
  }
}

TEST(ApplyDirection, Float32WeightsEqualTheTensorLibrary) {
  const at::Tensor direction = at::randn({64 * 1024});
  at::Tensor weight = at::randn({64 * 1024}), expected = weight.clone();
  apply_direction({1e-3, 0.999, 0.99, nullptr}, direction, weight);
  expected.mul_(0.999).add_(direction, -1e-3).mul_(0.99);
  EXPECT_TRUE(weight.equal(expected));
}

// The mean of many roundings is exact, and each is one of the two neighbours in fp16: for normal numbers,
// numbers below them, and zero.
TEST(Rounding, StochasticHalfIsRightOnAverage) {
  for (const float exact : {1.0003f, -0.1f, 3e-6f, -2.1e-8f, 0.0f, 1234.56f}) {
    const at::Tensor source = at::full({1 << 16}, exact);
    at::Tensor rounded = at::empty({1 << 16}, at::kHalf);
    const RandomStream stream(7, "test", "w", 3);
    round_into(source, rounded, &stream);
    const float nearest = source[0].to(at::kHalf).to(at::kFloat).item<float>();
    const float step = std::max(0x1p-24f, std::abs(exact) * 0x1p-10f);
    EXPECT_LE((rounded.to(at::kFloat) - nearest).abs().max().item<float>(), step) << exact;
    // The mean of 2^16 roundings has a standard error of at most half a step / 2^8.
    EXPECT_NEAR(rounded.to(at::kDouble).mean().item<double>(), exact, step * 5 / 512) << exact;
  }
  at::Tensor special = at::tensor(
                 {1e6f, -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}),
             rounded = at::empty({3}, at::kHalf);
  const RandomStream stream(7, "test", "w", 3);
  round_into(special, rounded, &stream);
  EXPECT_TRUE(at::allclose(rounded, special.to(at::kHalf), 0, 0, /*equal_nan=*/true));
}

TEST(Rounding, NearestEqualsTheTensorLibrary) {
  const at::Tensor source = at::randn({10001}) * at::randn({10001}).exp();
  at::Tensor rounded = at::empty({10001}, at::kBFloat16);
  round_into(source, rounded, nullptr);
  EXPECT_TRUE(rounded.equal(source.to(at::kBFloat16)));
}

TEST(Rounding, StochasticIsRightOnTheAverage) {
  // 1 + 1/512 is a quarter of the way from 1 to the next bf16 number, 1 + 1/128.
  const at::Tensor source = at::full({200000}, 1.0f + 1.0f / 512);
  at::Tensor rounded = at::empty({200000}, at::kBFloat16);
  const RandomStream stream(7, "test", "w", 3);
  round_into(source, rounded, &stream);
  const double share_up = (rounded.to(at::kFloat) > 1).sum().item<double>() / 200000;
  EXPECT_NEAR(share_up, 0.25, 0.005);  // five standard deviations
  at::Tensor again = at::empty_like(rounded);
  round_into(source, again, &stream);
  EXPECT_TRUE(again.equal(rounded));
  const at::Tensor negative = -source;
  round_into(negative, again, &stream);
  EXPECT_TRUE((-again).equal(rounded));
}

TEST(Rounding, StochasticKeepsNumbersThatNeedNone) {
  const at::Tensor source = at::tensor({1.0f, -2.5f, 0.0f, std::numeric_limits<float>::infinity()});
  at::Tensor rounded = at::empty({4}, at::kBFloat16);
  const RandomStream stream(7, "test");
  round_into(source, rounded, &stream);
  EXPECT_TRUE(rounded.to(at::kFloat).equal(source));
}

TEST(SumSquares, TakesEveryElementOnce) {
  for (const int64_t count : {0L, 1L, 15L, 16L, 17L, 65536L, 65537L, 131071L})
    EXPECT_EQ(sum_squares(at::full({count}, 3.0f)), 9.0 * static_cast<double>(count));
}

TEST(SumSquares, EqualsTheTensorLibraryAndSeesNaN) {
  at::Tensor x = at::randn({300001});
  const double expected = x.to(at::kDouble).square().sum().item<double>();
  EXPECT_NEAR(sum_squares(x) / expected, 1, 1e-12);  // fp64 sums in another order
  x[12345] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(sum_squares(x)));
}

}  // namespace
}  // namespace galore::kernels
