#include "kernels/group_quantize.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/errors.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/formulas/group_quantize.h"
#include "kernels/normal_float.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

cpu::RawGroups raw_groups(const GroupQuantized& codes) {
  return {codes.codes.mutable_data_ptr<uint8_t>(), codes.scales.mutable_data_ptr<float>(),
          codes.zeros.mutable_data_ptr<uint8_t>(), codes.format, codes.numel()};
}

bool on_cpu(const at::Tensor& tensor, const GroupQuantized& codes) {
  return tensor.is_cpu() && codes.codes.is_cpu();
}

void check_codes(const at::Tensor& tensor, const GroupQuantized& codes) {
  GALORE_ASSERT(tensor.is_contiguous() && tensor.numel() == codes.numel());
}

// Returns the flat tensor, padded with zeros to whole groups, as [groups, group_size]; zeros do not change a
// scale.
at::Tensor in_groups(const at::Tensor& tensor, int64_t group_size) {
  const int64_t padding = (group_size - tensor.numel() % group_size) % group_size;
  return at::constant_pad_nd(tensor.reshape({-1}), {0, padding}).view({-1, group_size});
}

// Returns the codes flat, one in a byte.
at::Tensor unpacked(const GroupQuantized& codes) {
  const at::Tensor flat = codes.codes.view({-1});
  if (codes.format.bits == 8) return flat;
  const at::Tensor pairs =
      at::stack({flat.bitwise_and(15), flat.bitwise_right_shift(at::full_like(flat, 4))}, 1);
  return pairs.view({-1}).narrow(0, 0, codes.numel());
}

at::Tensor packed(const at::Tensor& codes) {
  const at::Tensor pairs = at::constant_pad_nd(codes, {0, codes.numel() % 2}).view({-1, 2});
  return pairs.select(1, 0) + pairs.select(1, 1) * 16;
}

// Returns a random number in (0, 1) for each element, which is rounded up where its distance from the lower
// code is larger: the middle of one of 2^16 intervals, so that the mean is exact and a value that equals a
// code except for rounding stays this code.
at::Tensor chances(int64_t count, const RandomStream& stream) {
  const at::Tensor out = at::empty({count}, at::kFloat);
  float* chance = out.mutable_data_ptr<float>();
  for (int64_t i = 0; i < count; ++i) {
    const auto words = stream.block(static_cast<uint64_t>(i / formulas::kRoundingsPerBlock));
    const uint32_t bits = formulas::rounding_bits(words, i % formulas::kRoundingsPerBlock);
    chance[i] = (static_cast<float>(bits) + 0.5f) * 0x1p-16f;
  }
  return out;
}

void decode_block_composed(const GroupQuantized& source, const Block& block, const at::Tensor& destination) {
  const at::TensorOptions numbers = source.scales.options().dtype(at::kLong);
  const at::Tensor row = at::arange(block.first_row, block.first_row + block.rows, numbers).unsqueeze(1);
  const at::Tensor column = at::arange(block.first_column, block.first_column + block.columns, numbers);
  const at::Tensor group = (row * source.shape[1] + column).floor_divide(source.format.group_size);
  const at::Tensor codes = source.codes.narrow(0, block.first_row, block.rows)
                               .narrow(1, block.first_column, block.columns)
                               .to(at::kFloat);
  destination.copy_((codes - source.zeros.index({group}).to(at::kFloat)) * source.scales.index({group}));
}

void encode_groups_on_cpu(const at::Tensor& source, const GroupQuantized& destination,
                          const RandomStream* stochastic) {
  const bool done = on_cpu(source, destination) && cpu::with_element(source, [&](auto* element) {
                      using T = cpu::Element<decltype(element)>;
                      cpu::encode_groups(source.const_data_ptr<T>(), raw_groups(destination), stochastic);
                    });
  if (!done) composed::encode_groups(source, destination, stochastic);
}

void decode_groups_on_cpu(const GroupQuantized& source, const at::Tensor& destination) {
  const bool done = on_cpu(destination, source) && cpu::with_element(destination, [&](auto* element) {
                      using T = cpu::Element<decltype(element)>;
                      cpu::decode_groups(raw_groups(source), destination.mutable_data_ptr<T>());
                    });
  if (!done) composed::decode_groups(source, destination);
}

void decode_block_on_cpu(const GroupQuantized& source, const Block& block, const at::Tensor& destination) {
  const bool done =
      on_cpu(destination, source) && cpu::with_element(destination, [&](auto* element) {
        using T = cpu::Element<decltype(element)>;
        cpu::decode_block(raw_groups(source), block, source.shape[1], destination.mutable_data_ptr<T>());
      });
  if (!done) decode_block_composed(source, block, destination);
}

void update_groups_on_cpu(const WeightUpdate& update, const at::Tensor& direction,
                          const GroupQuantized& weight) {
  if (!on_cpu(direction, weight)) return composed::update_groups(update, direction, weight);
  cpu::update_groups({update.factors(), direction.const_data_ptr<float>(), update.stochastic},
                     raw_groups(weight));
}

const Operation<decltype(encode_groups)> kEncodeGroups("encode_groups",
                                                       {.cpu = encode_groups_on_cpu,
                                                        .composed = composed::encode_groups});
const Operation<decltype(decode_groups)> kDecodeGroups("decode_groups",
                                                       {.cpu = decode_groups_on_cpu,
                                                        .composed = composed::decode_groups});
const Operation<decltype(decode_block)> kDecodeBlock("decode_block", {.cpu = decode_block_on_cpu,
                                                                      .composed = decode_block_composed});
const Operation<decltype(update_groups)> kUpdateGroups("update_groups",
                                                       {.cpu = update_groups_on_cpu,
                                                        .composed = composed::update_groups});

// A byte holds two elements, so the decoder begins at an even one.
void decode_row(const GroupQuantized& source, int64_t first, const at::Tensor& out) {
  if (first % 2 == 0) return decode_normal_float(source, first, out);
  const at::Tensor longer = at::empty({out.numel() + 1}, out.options());
  decode_normal_float(source, first - 1, longer);
  out.copy_(longer.narrow(0, 1, out.numel()));
}

void decode_normal_float_block(const GroupQuantized& source, const Block& block,
                               const at::Tensor& destination) {
  const int64_t row_size = source.shape[1], first = block.first_row * row_size + block.first_column;
  if (block.columns == row_size) return decode_row(source, first, destination.view({-1}));
  at::parallel_for(0, block.rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      decode_row(source, first + row * row_size, destination.select(0, row));
  });
}

}  // namespace

void encode_groups(const at::Tensor& source, const GroupQuantized& destination,
                   const RandomStream* stochastic) {
  check_codes(source, destination);
  if (destination.format.normal_float) {
    GALORE_ASSERT(stochastic == nullptr);
    GroupEncoder encoder(destination);
    encoder.add(source.view({-1}), 0);
    return encoder.finish();
  }
  kEncodeGroups(source, source, destination, stochastic);
}

void decode_groups(const GroupQuantized& source, const at::Tensor& destination) {
  check_codes(destination, source);
  if (source.format.normal_float) return decode_normal_float(source, 0, destination.view({-1}));
  kDecodeGroups(destination, source, destination);
}

void decode_block(const GroupQuantized& source, const Block& block, const at::Tensor& destination) {
  GALORE_ASSERT(source.shape.size() == 2 && destination.is_contiguous() &&
                destination.size(0) == block.rows && destination.size(1) == block.columns);
  if (destination.is_meta()) return;
  if (source.format.normal_float) return decode_normal_float_block(source, block, destination);
  GALORE_ASSERT(source.format.bits == 8);
  kDecodeBlock(destination, source, block, destination);
}

void decode_part(const GroupQuantized& source, int64_t first, const at::Tensor& destination) {
  if (source.format.normal_float) return decode_normal_float(source, first, destination);
  decode_groups(part_of(source, first, destination.numel()), destination);
}

GroupEncoder::GroupEncoder(const GroupQuantized& destination) : destination_(destination) {
  if (destination.format.normal_float)
    largest_ = at::empty(destination.zeros.sizes(), destination.scales.options());
}

void GroupEncoder::add(const at::Tensor& values, int64_t first) {
  if (largest_.defined()) return encode_normal_float(values, first, destination_, largest_);
  encode_groups(values, part_of(destination_, first, values.numel()), nullptr);
}

void GroupEncoder::finish() {
  if (largest_.defined()) encode_scales(largest_, destination_);
}

GroupQuantized part_of(const GroupQuantized& codes, int64_t first, int64_t count) {
  const int64_t size = codes.format.group_size;
  GALORE_ASSERT(codes.format.bits == 8 && first % size == 0);
  const int64_t group = first / size, groups = (count + size - 1) / size;
  return {codes.codes.view({-1}).narrow(0, first, count),
          codes.scales.narrow(0, group, groups),
          codes.zeros.narrow(0, group, groups),
          {count},
          codes.format};
}

void update_groups(const WeightUpdate& update, const at::Tensor& direction, const GroupQuantized& weight) {
  check_codes(direction, weight);
  kUpdateGroups(direction, update, direction, weight);
}

bool is_finite(const GroupQuantized& codes) {
  return codes.is_meta() || (codes.scales.isfinite().all().item<bool>() &&
                             (!codes.offset.defined() || codes.offset.isfinite().all().item<bool>()));
}

namespace composed {

void encode_groups(const at::Tensor& source, const GroupQuantized& destination,
                   const RandomStream* stochastic) {
  const float levels = formulas::group_levels(destination.format.bits);
  const at::Tensor values = in_groups(source.to(at::kFloat), destination.format.group_size);
  const at::Tensor low = values.amin(1).clamp_max(0), high = values.amax(1).clamp_min(0);
  const at::Tensor range = high - low, usable = range.isfinite();
  at::Tensor scales = range.clamp_min(formulas::kSmallestGroupRange) / at::full_like(range, levels);
  scales = at::where(usable, scales, at::full_like(scales, NAN));
  const at::Tensor zeros = at::where(usable, (-(low / scales).round()).clamp(0, levels), at::zeros_like(low));
  at::Tensor whole = values / scales.unsqueeze(1);
  if (stochastic) {
    const at::Tensor chance =
        in_groups(chances(source.numel(), *stochastic).to(source.device()), destination.format.group_size);
    const at::Tensor below = whole.floor();
    whole = below + (chance < whole - below).to(at::kFloat);
  } else {
    whole = whole.round();
  }
  at::Tensor codes = (whole + zeros.unsqueeze(1)).clamp(0, levels).nan_to_num(0).to(at::kByte);
  codes = codes.view({-1}).narrow(0, 0, source.numel());
  destination.scales.copy_(scales);
  destination.zeros.copy_(zeros);
  destination.codes.view({-1}).copy_(destination.format.bits == 8 ? codes : packed(codes));
}

void decode_groups(const GroupQuantized& source, const at::Tensor& destination) {
  const at::Tensor codes = in_groups(unpacked(source).to(at::kFloat), source.format.group_size);
  const at::Tensor values = (codes - source.zeros.to(at::kFloat).unsqueeze(1)) * source.scales.unsqueeze(1);
  destination.view({-1}).copy_(values.view({-1}).narrow(0, 0, source.numel()));
}

void update_groups(const WeightUpdate& update, const at::Tensor& direction, const GroupQuantized& weight) {
  at::Tensor values = at::empty_like(direction);
  composed::decode_groups(weight, values);
  values.mul_(update.decay_before).sub_(direction * update.learning_rate).mul_(update.decay_after);
  composed::encode_groups(values, weight, update.stochastic);
}

}  // namespace composed
}  // namespace galore::kernels
