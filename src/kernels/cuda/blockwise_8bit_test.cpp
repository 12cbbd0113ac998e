#include "kernels/blockwise_8bit.h"

#include <ATen/ATen.h>

#include <limits>

#include "kernels/cuda/device_test.h"
#include "kernels/test_tensors.h"

namespace galore::kernels {
namespace {

using testing_tensors::random;

Codes8 device_blocks(int64_t count, int64_t block_size, bool is_signed) {
  const int64_t blocks = (count + block_size - 1) / block_size;
  return {at::zeros({count}, at::kByte), at::zeros({blocks}, at::kFloat), block_size, is_signed};
}

Codes8 on_cuda(const Codes8& codes) {
  return {galore::on_cuda(codes.codes), galore::on_cuda(codes.scales), codes.block_size, codes.is_signed};
}

// Compares with the CPU with fused multiply-add, which pads odd blocks so that every element is computed in
// the same way.
TEST_F(OnCuda, AdamW8bitEqualsTheCpu) {
  for (const int64_t count : {1L, 37L, 4096L, 70001L, (1L << 21) + 5}) {
    for (const int64_t block : {16L, 256L, 2048L, 65536L}) {
      Codes8 m = device_blocks(count, block, true), v = device_blocks(count, block, false);
      Codes8 device_m = on_cuda(m), device_v = on_cuda(v);
      for (int step = 1; step <= 4; ++step) {
        const AdamStep constants{0.9, 0.999, 1e-8f, 1.1f};
        at::Tensor gradient = random({count}, at::kFloat, static_cast<uint64_t>(step));
        if (step == 3) gradient.narrow(0, 0, 1).fill_(std::numeric_limits<float>::quiet_NaN());
        if (step == 4) gradient.zero_();
        at::Tensor device_gradient = galore::on_cuda(gradient);
        adamw_8bit_direction(constants, gradient, m, v);
        adamw_8bit_direction(constants, device_gradient, device_m, device_v);
        ASSERT_TRUE(same_bits(device_gradient, gradient)) << count << " " << block << " " << step;
        ASSERT_TRUE(same_bits(device_m.codes, m.codes) && same_bits(device_m.scales, m.scales));
        ASSERT_TRUE(same_bits(device_v.codes, v.codes) && same_bits(device_v.scales, v.scales));
      }
    }
  }
}

TEST_F(OnCuda, CodesEqualTheCpu) {
  for (const bool is_signed : {true, false}) {
    const at::Tensor values = random({70001}, at::kFloat, 8);
    Codes8 codes = device_blocks(70001, 256, is_signed), device_codes = on_cuda(codes);
    encode_8bit(is_signed ? values : values.abs(), codes);
    encode_8bit(galore::on_cuda(is_signed ? values : values.abs()), device_codes);
    EXPECT_TRUE(same_bits(device_codes.codes, codes.codes));
    at::Tensor decoded = at::empty({70001}, at::kFloat), device_decoded = galore::on_cuda(decoded);
    decode_8bit(codes, decoded);
    decode_8bit(device_codes, device_decoded);
    EXPECT_TRUE(same_bits(device_decoded, decoded));
  }
}

}  // namespace
}  // namespace galore::kernels
