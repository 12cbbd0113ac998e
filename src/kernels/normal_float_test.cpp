#include "kernels/normal_float.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "kernels/group_quantize.h"
#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;

GroupQuantized nf4_codes(at::IntArrayRef shape) {
  Ledger ledger(at::kCPU);
  const GroupQuantized codes = zero_group_codes(kNormalFloat, shape, Owner::weights, ledger);
  EXPECT_EQ(ledger.total(), group_code_bytes(kNormalFloat, codes.numel()));
  return codes;
}

GroupQuantized nf4_of(const at::Tensor& values) {
  const GroupQuantized codes = nf4_codes(values.sizes());
  encode_groups(values, codes, nullptr);
  return codes;
}

at::Tensor values_of(const GroupQuantized& codes, at::ScalarType dtype = at::kFloat) {
  const at::Tensor values = at::full(codes.shape, NAN, at::TensorOptions(dtype));
  decode_groups(codes, values);
  return values;
}

TEST(NormalFloat, TakesLittleMoreThanFourBits) {
  EXPECT_EQ(group_code_bytes(kNormalFloat, int64_t{1} << 20), (1 << 19) + (1 << 14) + 4 * (1 << 6) + 4);
}

// The values of a group are multiples of its largest, so these are exact but for the scale's 8 bits.
TEST(NormalFloat, KeepsItsOwnValues) {
  const at::Tensor sixteen =
      at::from_blob(const_cast<float*>(normal_float_values().data()), {16}, at::kFloat).repeat({4});
  const GroupQuantized codes = nf4_of(sixteen);
  EXPECT_EQ(codes.offset.item<float>(), 1);
  EXPECT_TRUE(values_of(codes).equal(sixteen));
  EXPECT_EQ(codes.codes[0].item<int>(), 0x01) << "the first element is in the upper half of its byte";
}

// A value is at most half of the widest step away: (1 - 0.6962) / 2 of the group's largest, and the scale has
// an error of its own of about 1 % of the scales' range.
TEST(NormalFloat, IsNearTheNumbers) {
  const at::Tensor numbers = random({128, 256}, at::kFloat, 1);
  const at::Tensor difference = (values_of(nf4_of(numbers)) - numbers).abs().view({-1, 64});
  EXPECT_TRUE((difference.amax(1) < 0.17 * numbers.view({-1, 64}).abs().amax(1)).all().item<bool>());
  EXPECT_LT(difference.square().mean().item<double>(), 0.01) << "0.009 for normal numbers in 4 bits";
}

TEST(NormalFloat, TheFastVersionsEqualTheComposedOnes) {
  for (const int64_t count : {64 * 300, 64 * 5 + 10, 2, 63}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const at::Tensor numbers = random({count}, dtype, 2);
      const GroupQuantized fast = nf4_codes({count}), plain = nf4_codes({count});
      const at::Tensor of_fast = at::empty(fast.zeros.sizes()), of_plain = at::empty(fast.zeros.sizes());
      encode_normal_float(numbers, 0, fast, of_fast);
      composed::encode_normal_float(numbers, 0, plain, of_plain);
      EXPECT_TRUE(fast.codes.equal(plain.codes) && of_fast.equal(of_plain)) << count;
      encode_scales(of_fast, fast);
      const at::Tensor decoded = values_of(fast, dtype), expected = at::empty_like(numbers);
      composed::decode_normal_float(fast, 0, expected);
      EXPECT_TRUE(decoded.equal(expected)) << count;
    }
  }
}

TEST(NormalFloat, PiecesGiveTheWhole) {
  const at::Tensor numbers = random({64 * 9 + 6}, at::kFloat, 3);
  const GroupQuantized whole = nf4_of(numbers), pieces = nf4_codes(numbers.sizes());
  GroupEncoder encoder(pieces);
  encoder.add(numbers.narrow(0, 0, 192), 0);
  encoder.add(numbers.narrow(0, 192, numbers.numel() - 192), 192);
  encoder.finish();
  EXPECT_TRUE(values_of(pieces).equal(values_of(whole)));
  const at::Tensor part = at::empty({100});
  decode_part(whole, 128, part);
  EXPECT_TRUE(part.equal(values_of(whole).narrow(0, 128, 100)));
}

// Blocks may begin inside a group, and with odd rows inside a byte.
TEST(NormalFloat, BlocksArePartsOfTheMatrix) {
  for (const int64_t columns : {48, 31}) {
    const GroupQuantized codes = nf4_of(random({12, columns}, at::kFloat, 4));
    const at::Tensor whole = values_of(codes);
    for (const Block& block : {Block{0, 12, 0, columns}, Block{3, 5, 0, columns}, Block{1, 7, 16, 13}}) {
      const at::Tensor part = at::empty({block.rows, block.columns});
      decode_block(codes, block, part);
      EXPECT_TRUE(part.equal(
          whole.narrow(0, block.first_row, block.rows).narrow(1, block.first_column, block.columns)));
    }
  }
}

TEST(NormalFloat, ANumberThatIsNotFiniteIsNoticed) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    at::Tensor numbers = random({256}, at::kFloat, 5);
    EXPECT_TRUE(is_finite(nf4_of(numbers)));
    numbers[70] = bad;
    EXPECT_FALSE(is_finite(nf4_of(numbers)));
  }
}

}  // namespace
}  // namespace galore::kernels
