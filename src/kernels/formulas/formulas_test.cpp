// Compares the functions that host and device compilers share with independent computations.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "core/philox.h"
#include "core/random.h"
#include "kernels/blockwise_8bit.h"
#include "kernels/formulas/blockwise_8bit.h"
#include "kernels/formulas/rounding.h"

namespace galore::kernels {
namespace {

// The published rule: the nearest value of the book (a tie takes the lower one), and never 0 for a negative
// value.
int nearest_code(const CodeBook& book, float value) {
  size_t best = 0;
  for (size_t i = 1; i < book.size(); ++i) {
    if (std::abs(static_cast<double>(book[i]) - value) < std::abs(static_cast<double>(book[best]) - value))
      best = i;
  }
  const bool lost_sign = value < 0 && book[best] >= 0;
  return static_cast<int>(best) - (lost_sign ? 1 : 0);
}

TEST(Formulas, CodeIsTheNearestValue) {
  std::mt19937 random(5);
  for (const bool is_signed : {true, false}) {
    const CodeBook& book = is_signed ? signed_code_book() : unsigned_code_book();
    const auto boundaries = formulas::code_boundaries(book, is_signed);
    for (size_t i = 0; i < book.size(); ++i) EXPECT_EQ(formulas::code_of(boundaries.data(), book[i]), i);
    std::uniform_real_distribution<float> exponent(-9, 0);
    for (int i = 0; i < 20000; ++i) {
      const float magnitude = std::pow(10.0f, exponent(random));
      const float value = is_signed && i % 2 ? -magnitude : magnitude;
      ASSERT_EQ(formulas::code_of(boundaries.data(), value), nearest_code(book, value)) << value;
    }
    EXPECT_EQ(formulas::code_of(boundaries.data(), NAN), 0);
    EXPECT_EQ(formulas::code_of(boundaries.data(), -0.0f), is_signed ? formulas::kSignedZeroCode : 0);
  }
}

// Compares with every code of the composed version at the boundaries and one number next to them.
TEST(Formulas, CodeEqualsTheComposedOneAtTheBoundaries) {
  for (const bool is_signed : {true, false}) {
    const auto boundaries =
        formulas::code_boundaries(is_signed ? signed_code_book() : unsigned_code_book(), is_signed);
    std::vector<float> values{1};  // the block's largest magnitude
    for (const float boundary : boundaries) {
      values.insert(values.end(),
                    {boundary, std::nextafter(boundary, -2.0f), std::nextafter(boundary, 2.0f)});
    }
    if (!is_signed) std::erase_if(values, [](float value) { return value < 0; });
    const auto count = static_cast<int64_t>(values.size());
    Codes8 codes{at::zeros({count}, at::kByte), at::zeros({1}, at::kFloat), count, is_signed};
    encode_8bit(at::tensor(values), codes);
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(formulas::code_of(boundaries.data(), values[i]), codes.codes.const_data_ptr<uint8_t>()[i])
          << values[i];
    }
  }
}

TEST(Formulas, NearestRoundingEqualsTheTensorLibrary) {
  std::mt19937 random(6);
  for (int i = 0; i < 200000; ++i) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (std::isnan(value)) continue;
    ASSERT_EQ(formulas::round_nearest(value), at::BFloat16(value).x) << value;
  }
  EXPECT_EQ(formulas::round_nearest(NAN), 0x7fc0);
}

TEST(Formulas, StreamsAreTheSameForDeviceCode) {
  const RandomStream stream(3, "rounding", "w", uint64_t{1} << 40);
  for (const uint64_t index : {uint64_t{0}, uint64_t{7}, uint64_t{1} << 35}) {
    EXPECT_EQ(stream.block(index), philox_block(index, stream.step(), stream.key()));
  }
}

}  // namespace
}  // namespace galore::kernels
