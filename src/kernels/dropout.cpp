#include "kernels/dropout.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/errors.h"
#include "core/philox.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

// Returns the four words (4 x count) of the blocks from `first` on as int64; products wrap around as in
// Philox.
at::Tensor philox_words(const RandomStream& stream, int64_t first, int64_t count, at::Device device) {
  constexpr int64_t kWord = 0xffffffff;
  const auto low = [](const at::Tensor& x) { return x.bitwise_and(kWord); };
  const auto high = [&](const at::Tensor& x) { return low(x.bitwise_right_shift(32)); };
  const at::Tensor index = at::arange(first, first + count, at::TensorOptions(at::kLong).device(device));
  const auto step = static_cast<int64_t>(stream.step());
  at::Tensor x[4] = {low(index), high(index), at::full_like(index, step & kWord),
                     at::full_like(index, (step >> 32) & kWord)};
  std::array<uint32_t, 2> key = stream.key();
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const at::Tensor product0 = x[0] * int64_t{kPhiloxMultipliers[0]};
    const at::Tensor product1 = x[2] * int64_t{kPhiloxMultipliers[1]};
    x[0] = high(product1).bitwise_xor_(x[1]).bitwise_xor_(int64_t{key[0]});
    x[2] = high(product0).bitwise_xor_(x[3]).bitwise_xor_(int64_t{key[1]});
    x[1] = low(product1), x[3] = low(product0);
    key[0] += kPhiloxKeySteps[0], key[1] += kPhiloxKeySteps[1];
  }
  return at::stack({x[0], x[1], x[2], x[3]});
}

const kernels::Operation<decltype(dropout)> kDropout(
    "dropout",
    {.cpu = kernels::or_composed<kernels::cpu::dropout, reference::dropout>, .composed = reference::dropout});

}  // namespace

DropoutScale dropout_scale(double probability) {
  GALORE_ASSERT(probability >= 0 && probability < 1);
  return {static_cast<uint32_t>(std::min(std::round(probability * 0x1p32), 0x1p32 - 1)),
          static_cast<float>(1 / (1 - probability))};
}

void dropout(const at::Tensor& out, const at::Tensor& x, const DropoutMask& mask, int64_t first_row,
             Write write) {
  GALORE_ASSERT(x.dim() == 2 && out.sizes() == x.sizes() && out.scalar_type() == x.scalar_type());
  GALORE_ASSERT(x.is_contiguous() && out.is_contiguous() && first_row >= 0);
  kDropout(out, out, x, mask, first_row, write);
}

namespace reference {

at::Tensor dropout_factors(const DropoutMask& mask, int64_t first_segment, int64_t rows, int64_t elements,
                           at::Device device) {
  const DropoutScale scale = dropout_scale(mask.probability);
  const int64_t segments = dropout_segments(elements), blocks = rows * segments * 16;
  const at::Tensor words = philox_words(mask.stream, first_segment * 16, blocks, device);
  // Reorders word by word, each with 16 blocks.
  const at::Tensor numbers =
      words.view({4, rows * segments, 16}).transpose(0, 1).reshape({rows, segments * kDropoutSegment});
  const at::Tensor kept = numbers.narrow(1, 0, elements).ge(static_cast<int64_t>(scale.threshold));
  return kept.to(at::kFloat).mul_(scale.kept);
}

void dropout(const at::Tensor& out, const at::Tensor& x, const DropoutMask& mask, int64_t first_row,
             Write write) {
  const int64_t rows = x.size(0), elements = x.size(1);
  const at::Tensor factors =
      dropout_factors(mask, first_row * dropout_segments(elements), rows, elements, x.device());
  const at::Tensor kept = x.scalar_type() == at::kDouble ? x * factors : (x.to(at::kFloat) * factors);
  if (write == Write::replace) {
    out.copy_(kept);
  } else {
    out.copy_(out + kept);
  }
}

}  // namespace reference
}  // namespace galore
