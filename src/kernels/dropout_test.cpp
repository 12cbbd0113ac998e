#include "kernels/dropout.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/test_tensors.h"

namespace galore {
namespace {
using namespace testing_tensors;

DropoutMask dropout_mask(double probability, uint64_t step = 0) {
  return {RandomStream(3, "dropout", "test", step), probability};
}

class DropoutOf : public testing::TestWithParam<at::ScalarType> {};

TEST_P(DropoutOf, TheFastOneIsTheComposedOne) {
  for (const int64_t elements : {1, 63, 64, 200, 5000})
    for (const double probability : {0.0, 0.1, 0.5}) {
      const at::Tensor x = random({3, elements}, GetParam(), 1);
      const at::Tensor given = at::empty_like(x), expected = at::empty_like(x);
      dropout(given, x, dropout_mask(probability), 2, Write::replace);
      reference::dropout(expected, x, dropout_mask(probability), 2, Write::replace);
      EXPECT_TRUE(at::equal(given, expected)) << elements << " " << probability;
      dropout(given, x, dropout_mask(probability), 5, Write::accumulate);
      reference::dropout(expected, x, dropout_mask(probability), 5, Write::accumulate);
      EXPECT_LT(relative_difference(given, expected), tolerance(GetParam()));
      if (probability == 0) {
        EXPECT_TRUE(at::equal(given, x + x));
      }
      const at::Tensor same = x.clone();
      dropout(same, same, dropout_mask(probability), 2, Write::replace);
      dropout(given, x, dropout_mask(probability), 2, Write::replace);
      EXPECT_TRUE(at::equal(same, given)) << "in place";
    }
}

INSTANTIATE_TEST_SUITE_P(All, DropoutOf, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& info) { return c10::toString(info.param); });

// The composed version computes the stream's words by tensor operations.
TEST(Dropout, ItsNumbersAreThoseOfTheStream) {
  const RandomStream stream(9, "dropout", "x", (uint64_t{5} << 33) + 7);
  const DropoutScale scale = dropout_scale(0.3);
  const int64_t first = int64_t{1} << 30;  // its blocks need more than 32 bits
  const at::Tensor factors = reference::dropout_factors({stream, 0.3}, first, 1, 640, at::kCPU);
  for (int64_t i = 0; i < 640; ++i) {
    const auto block = static_cast<uint64_t>((first + i / 64) * 16 + i % 16);
    const bool dropped = stream.block(block)[static_cast<size_t>(i % 64 / 16)] < scale.threshold;
    EXPECT_EQ(factors[0][i].item<float>(), dropped ? 0 : scale.kept) << i;
  }
}

TEST(Dropout, DropsItsShareAndKeepsTheMean) {
  const at::Tensor ones = at::ones({64, 4000});
  for (const double probability : {0.1, 0.3, 0.9}) {
    const at::Tensor out = at::empty_like(ones);
    dropout(out, ones, dropout_mask(probability), 0, Write::replace);
    const double count = 64 * 4000, deviation = std::sqrt(probability * (1 - probability) / count);
    const double dropped = out.eq(0).sum().item<double>() / count;
    EXPECT_NEAR(dropped, probability, 4 * deviation);
    EXPECT_NEAR(out.mean().item<double>(), 1, 4 * deviation / (1 - probability));
    EXPECT_EQ(out.max().item<float>(), static_cast<float>(1 / (1 - probability)));
    // Neighbours in a row or a column are dropped together as often as chance predicts.
    const at::Tensor gone = out.eq(0).to(at::kFloat);
    for (const at::Tensor& pairs :
         {gone.narrow(1, 1, 3999) * gone.narrow(1, 0, 3999), gone.narrow(0, 1, 63) * gone.narrow(0, 0, 63)})
      EXPECT_NEAR(pairs.mean().item<double>(), probability * probability, 6 * deviation);
  }
}

TEST(Dropout, AMaskOfFewRowsIsPartOfOneOfMany) {
  const at::Tensor x = random({6, 130}, at::kFloat, 2);
  const at::Tensor whole = at::empty_like(x), part = at::empty({2, 130}), other = at::empty_like(x);
  dropout(whole, x, dropout_mask(0.2), 0, Write::replace);
  dropout(part, x.narrow(0, 3, 2).contiguous(), dropout_mask(0.2), 3, Write::replace);
  EXPECT_TRUE(at::equal(part, whole.narrow(0, 3, 2)));
  dropout(other, x, dropout_mask(0.2, 1), 0, Write::replace);
  EXPECT_FALSE(at::equal(whole, other)) << "of another step";
}

}  // namespace
}  // namespace galore
