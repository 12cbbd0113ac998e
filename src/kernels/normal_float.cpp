#include "kernels/normal_float.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "core/errors.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

constexpr int64_t kGroup = kNormalFloat.group_size;

// Returns value i of `count` that divide [0.1, 1], with each sum rounded once, as PyTorch's linspace has
// them.
float boundary(int i, int count) {
  const float low = 0.1f, high = 1, step = (high - low) / static_cast<float>(count - 1);
  const bool is_low = i < count / 2;
  const double distance = static_cast<double>(step) * (is_low ? i : count - 1 - i);
  return static_cast<float>(is_low ? low + distance : high - distance);
}

CodeBook make_dynamic_map() {
  std::vector<float> values{0, 1};
  int intervals = 1;
  for (const float power : {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1.0f}) {
    for (int j = 0; j < intervals; ++j) {
      const float middle = (boundary(j, intervals + 1) + boundary(j + 1, intervals + 1)) / 2;
      values.push_back(power * middle);
      values.push_back(-values.back());
    }
    intervals *= 2;
  }
  std::sort(values.begin(), values.end());
  GALORE_ASSERT(values.size() == 256);
  CodeBook map;
  std::copy(values.begin(), values.end(), map.begin());
  return map;
}

at::Tensor as_tensor(const float* values, int64_t count, at::Device device) {
  return at::from_blob(const_cast<float*>(values), {count}, at::kFloat).to(device);
}
at::Tensor values_on(at::Device device) { return as_tensor(normal_float_values().data(), 16, device); }
at::Tensor map_on(at::Device device) { return as_tensor(dynamic_map().data(), 256, device); }

// Returns the numbers of the nearest of `values`, which are sorted.
at::Tensor nearest(const at::Tensor& x, const at::Tensor& values) {
  const int64_t count = values.numel();
  const at::Tensor middles = (values.narrow(0, 0, count - 1) + values.narrow(0, 1, count - 1)) / 2;
  return at::bucketize(x, middles);
}

// Returns the flat tensor in fp32, padded with zeros to whole rows of `size`.
at::Tensor in_rows(const at::Tensor& flat, int64_t size) {
  const int64_t padding = (size - flat.numel() % size) % size;
  return at::constant_pad_nd(flat.to(at::kFloat), {0, padding}).view({-1, size});
}

// Divides each row by its largest magnitude, which is NaN for a row that is not finite.
struct Scaled {
  at::Tensor rows, largest;
};
Scaled scaled(const at::Tensor& rows) {
  const at::Tensor largest = rows.abs().amax(1);
  const at::Tensor inverse = largest.clamp_min(1e-38).reciprocal().unsqueeze(1);
  return {(rows * inverse).clamp(-1, 1), at::where(largest.isfinite(), largest, at::full_like(largest, NAN))};
}

bool is_flat(const at::Tensor& tensor) { return tensor.is_cpu() && tensor.is_contiguous(); }

void encode_nf4_on_cpu(const at::Tensor& values, int64_t first, const GroupQuantized& destination,
                       const at::Tensor& largest) {
  const bool done = is_flat(values) && is_flat(destination.codes) && is_flat(largest) &&
                    cpu::with_element(values, [&](auto* element) {
                      using T = cpu::Element<decltype(element)>;
                      cpu::encode_normal_float(values.const_data_ptr<T>(), values.numel(),
                                               destination.codes.mutable_data_ptr<uint8_t>() + first / 2,
                                               largest.mutable_data_ptr<float>() + first / kGroup);
                    });
  if (!done) composed::encode_normal_float(values, first, destination, largest);
}

void decode_nf4_on_cpu(const GroupQuantized& source, int64_t first, const at::Tensor& out) {
  const bool done = is_flat(out) && is_flat(source.codes) && cpu::with_element(out, [&](auto* element) {
                      using T = cpu::Element<decltype(element)>;
                      const cpu::RawNormalFloat raw{
                          source.codes.const_data_ptr<uint8_t>(), source.zeros.const_data_ptr<uint8_t>(),
                          source.scales.const_data_ptr<float>(), *source.offset.const_data_ptr<float>()};
                      cpu::decode_normal_float(raw, first, out.numel(), out.mutable_data_ptr<T>());
                    });
  if (!done) composed::decode_normal_float(source, first, out);
}

const Operation<decltype(encode_normal_float)> kEncode("encode_normal_float",
                                                       {.cpu = encode_nf4_on_cpu,
                                                        .composed = composed::encode_normal_float});
const Operation<decltype(decode_normal_float)> kDecode("decode_normal_float",
                                                       {.cpu = decode_nf4_on_cpu,
                                                        .composed = composed::decode_normal_float});

}  // namespace

const std::array<float, 16>& normal_float_values() {
  static constexpr std::array<float, 16> kValues{
      -1.0f,
      -0.6961928009986877f,
      -0.5250730514526367f,
      -0.39491748809814453f,
      -0.28444138169288635f,
      -0.18477343022823334f,
      -0.09105003625154495f,
      0.0f,
      0.07958029955625534f,
      0.16093020141124725f,
      0.24611230194568634f,
      0.33791524171829224f,
      0.44070982933044434f,
      0.5626170039176941f,
      0.7229568362236023f,
      1.0f,
  };
  return kValues;
}

const CodeBook& dynamic_map() {
  static const CodeBook map = make_dynamic_map();
  return map;
}

void encode_normal_float(const at::Tensor& values, int64_t first, const GroupQuantized& destination,
                         const at::Tensor& largest) {
  GALORE_ASSERT(destination.format.normal_float && first % kGroup == 0);
  kEncode(values, values, first, destination, largest);
}

// The mean is summed in fp64, so that it does not depend on the processor.
void encode_scales(const at::Tensor& largest, const GroupQuantized& destination) {
  destination.offset.copy_(largest.to(at::kDouble).mean());
  const Scaled blocks = scaled(in_rows(largest - destination.offset, kGroupsPerScale));
  destination.scales.copy_(blocks.largest);
  const at::Tensor codes = nearest(blocks.rows, map_on(largest.device())).view({-1});
  destination.zeros.copy_(codes.narrow(0, 0, largest.numel()));
}

void decode_normal_float(const GroupQuantized& source, int64_t first, const at::Tensor& out) {
  GALORE_ASSERT(source.format.normal_float && out.is_contiguous() && first % 2 == 0);
  kDecode(out, source, first, out);
}

namespace composed {

void encode_normal_float(const at::Tensor& values, int64_t first, const GroupQuantized& destination,
                         const at::Tensor& largest) {
  const Scaled groups = scaled(in_rows(values.view({-1}), kGroup));
  largest.narrow(0, first / kGroup, groups.largest.numel()).copy_(groups.largest);
  const at::Tensor codes = nearest(groups.rows, values_on(values.device())).clamp_max(15).view({-1, 2});
  const at::Tensor pairs = (codes.select(1, 0) * 16 + codes.select(1, 1)).to(at::kByte);
  const int64_t bytes = (values.numel() + 1) / 2;
  destination.codes.narrow(0, first / 2, bytes).copy_(pairs.narrow(0, 0, bytes));
}

void decode_normal_float(const GroupQuantized& source, int64_t first, const at::Tensor& out) {
  const at::Device device = out.device();
  const auto numbers = source.scales.options().dtype(at::kLong);
  const at::Tensor group = at::arange(first, first + out.numel(), numbers).floor_divide(kGroup);
  const at::Tensor byte = source.codes.narrow(0, first / 2, (out.numel() + 1) / 2).to(at::kLong);
  const at::Tensor codes = at::stack({byte.floor_divide(16), byte.remainder(16)}, 1).view({-1});
  const at::Tensor of_map = map_on(device).index({source.zeros.to(at::kLong)});
  const at::Tensor of_block = source.scales.repeat_interleave(kGroupsPerScale).narrow(0, 0, of_map.numel());
  const at::Tensor scales = of_map * of_block + source.offset;
  const at::Tensor values =
      values_on(device).index({codes.narrow(0, 0, out.numel())}) * scales.index({group});
  out.view({-1}).copy_(values);
}

}  // namespace composed
}  // namespace galore::kernels
