#include "kernels/blockwise_8bit.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace galore::kernels {
namespace {

Codes8 empty_blocks(int64_t count, int64_t block_size, bool is_signed) {
  const int64_t blocks = (count + block_size - 1) / block_size;
  return {at::zeros({count}, at::kByte), at::zeros({blocks}, at::kFloat), block_size, is_signed};
}

// These are check values of the published code books.
TEST(CodeBooks, HaveThePublishedValues) {
  const CodeBook& s = signed_code_book();
  EXPECT_FLOAT_EQ(s[0], -0.99296875f);
  EXPECT_EQ(s[127], 0.0f);
  EXPECT_FLOAT_EQ(s[128], 5.5e-7f);
  EXPECT_FLOAT_EQ(s[129], 3.25e-6f);
  EXPECT_FLOAT_EQ(s[130], 7.75e-6f);
  EXPECT_FLOAT_EQ(s[254], 0.99296875f);
  EXPECT_EQ(s[255], 1.0f);
  const CodeBook& u = unsigned_code_book();
  EXPECT_EQ(u[0], 0.0f);
  EXPECT_FLOAT_EQ(u[1], 3.25e-7f);
  EXPECT_FLOAT_EQ(u[2], 7.75e-7f);
  EXPECT_FLOAT_EQ(u[3], 2.125e-6f);
  EXPECT_FLOAT_EQ(u[254], 0.996484375f);
  EXPECT_EQ(u[255], 1.0f);
}

TEST(Codes, DecodeThenEncodeGivesTheCodeBack) {
  for (const bool is_signed : {true, false}) {
    Codes8 codes = empty_blocks(256, 256, is_signed);
    codes.codes.copy_(at::arange(256));
    codes.scales.fill_(0.37f);
    at::Tensor values = at::empty({256}, at::kFloat);
    decode_8bit(codes, values);
    Codes8 again = empty_blocks(256, 256, is_signed);
    encode_8bit(values, again);
    EXPECT_TRUE(again.codes.equal(codes.codes));
    EXPECT_EQ(again.scales.item<float>(), 0.37f);
  }
}

TEST(Codes, TinyNegativeKeepsItsSignAndZeroBlocksStayZero) {
  Codes8 codes = empty_blocks(4, 2, true);
  encode_8bit(at::tensor({1.0f, -1e-9f, 0.0f, 0.0f}), codes);
  EXPECT_TRUE(codes.codes.equal(at::tensor({255, 126, 127, 127}, at::kByte)));
  at::Tensor values = at::empty({4}, at::kFloat);
  decode_8bit(codes, values);
  EXPECT_LT(values[1].item<float>(), 0);
  EXPECT_EQ(values[2].item<float>(), 0);
}

// The versions are equal to the bit, whatever the contents of a block.
TEST(Codes, FusedEqualsComposed) {
  at::manual_seed(3);
  for (const int64_t count : {1L, 37L, 4096L, 70001L}) {
    for (const int64_t block : {16L, 100L, 256L, 2048L, 65536L}) {
      for (const bool is_signed : {true, false}) {
        at::Tensor values = at::randn({count}) * at::randn({count}).mul(5).exp();
        if (!is_signed) values.abs_();
        values[0] = std::numeric_limits<float>::infinity();
        values[count - 1] = std::numeric_limits<float>::quiet_NaN();
        if (count > 1000) values.narrow(0, 500, 300).zero_();
        Codes8 fused = empty_blocks(count, block, is_signed),
               expected = empty_blocks(count, block, is_signed);
        encode_8bit(values, fused);
        composed::encode_8bit(values, expected);
        ASSERT_TRUE(fused.codes.equal(expected.codes)) << count << " " << block;
        ASSERT_TRUE(fused.scales.view(at::kInt).equal(expected.scales.view(at::kInt)));
        at::Tensor decoded = at::empty({count}), expected_decoded = at::empty({count});
        decode_8bit(fused, decoded);
        composed::decode_8bit(fused, expected_decoded);
        ASSERT_TRUE(decoded.nan_to_num().equal(expected_decoded.nan_to_num()));
      }
    }
  }
}

// Compares the vectorized pass with the composed one. The codes are equal except where a rounding of the last
// bit (fused multiply-add) crosses a midpoint, so at most a few codes in a million may differ by one.
TEST(AdamW8bit, FusedEqualsComposed) {
  at::manual_seed(1);
  for (const int64_t count : {1L, 37L, 4096L, 70001L}) {
    for (const int64_t block : {16L, 256L, 2048L}) {
      Codes8 m1 = empty_blocks(count, block, true), v1 = empty_blocks(count, block, false);
      Codes8 m2 = empty_blocks(count, block, true), v2 = empty_blocks(count, block, false);
      for (int step = 1; step <= 5; ++step) {
        const AdamStep constants{0.9, 0.999, 1e-8f, 1.1f};
        at::Tensor g1 = at::randn({count}) * at::randn({count}).exp();
        if (step == 3) g1.narrow(0, 0, 1).fill_(std::numeric_limits<float>::quiet_NaN());
        at::Tensor g2 = g1.clone();
        adamw_8bit_direction(constants, g1, m1, v1);
        composed::adamw_8bit_direction(constants, g2, m2, v2);
        ASSERT_TRUE(g1.allclose(g2, 1e-3, 1e-5)) << count << " " << block << " " << step;
        ASSERT_LE((m1.codes.to(at::kInt) - m2.codes.to(at::kInt)).abs().max().item<int>(), 1);
        ASSERT_LE((v1.codes != v2.codes).sum().item<int64_t>(), 2 + count / 10000);
        m2.codes.copy_(m1.codes), m2.scales.copy_(m1.scales);
        v2.codes.copy_(v1.codes), v2.scales.copy_(v1.scales);
      }
    }
  }
}

TEST(AdamW8bit, NonFiniteGradientClearsItsElementOnly) {
  Codes8 m = empty_blocks(16, 16, true), v = empty_blocks(16, 16, false);
  at::Tensor g = at::ones({16});
  g[3] = std::numeric_limits<float>::infinity();
  adamw_8bit_direction({0.9, 0.999, 1e-8f, 1.0f}, g, m, v);
  EXPECT_EQ(g[3].item<float>(), 0);
  EXPECT_EQ(m.codes[3].item<int>(), 127);
  EXPECT_EQ(v.codes[3].item<int>(), 0);
  EXPECT_GT(g[4].item<float>(), 0);
}

}  // namespace
}  // namespace galore::kernels
