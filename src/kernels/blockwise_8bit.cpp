#include "kernels/blockwise_8bit.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

CodeBook make_code_book(bool is_signed) {
  std::vector<double> values{0, 1};
  for (int i = 0; i < 7; ++i) {
    const int intervals = is_signed ? 1 << i : 2 << i;
    for (int j = 0; j < intervals; ++j) {
      const double low = 0.1 + 0.9 * j / intervals, high = 0.1 + 0.9 * (j + 1) / intervals;
      const double value = (low + high) / 2 * std::pow(10.0, i - 6);
      values.push_back(value);
      if (is_signed) values.push_back(-value);
    }
  }
  GALORE_ASSERT(values.size() == 256);
  std::sort(values.begin(), values.end());
  CodeBook book;
  std::transform(values.begin(), values.end(), book.begin(),
                 [](double value) { return static_cast<float>(value); });
  return book;
}

at::Tensor book_tensor(bool is_signed, at::Device device) {
  const CodeBook& book = is_signed ? signed_code_book() : unsigned_code_book();
  return at::from_blob(const_cast<float*>(book.data()), {256}, at::kFloat).to(device);
}

// Returns the flat tensor, padded with zeros to whole blocks, as [blocks, block_size].
at::Tensor in_blocks(const at::Tensor& flat, int64_t block_size) {
  const int64_t padding = (block_size - flat.numel() % block_size) % block_size;
  return at::constant_pad_nd(flat.reshape({-1}), {0, padding}).view({-1, block_size});
}

bool is_plain(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
}

cpu::RawCodes8 raw(const Codes8& codes) {
  return {codes.codes.mutable_data_ptr<uint8_t>(), codes.scales.mutable_data_ptr<float>(), codes.block_size};
}

void decode_on_cpu(const Codes8& source, at::Tensor& destination) {
  if (!is_plain(destination) || !source.codes.is_contiguous())
    return composed::decode_8bit(source, destination);
  cpu::decode_8bit(raw(source), source.is_signed, destination.mutable_data_ptr<float>(), destination.numel());
}

void encode_on_cpu(const at::Tensor& source, Codes8& destination) {
  if (!is_plain(source) || !destination.codes.is_contiguous())
    return composed::encode_8bit(source, destination);
  cpu::encode_8bit(source.const_data_ptr<float>(), raw(destination), destination.is_signed, source.numel());
}

void adamw_8bit_on_cpu(const AdamStep& step, at::Tensor& gradient, Codes8& m, Codes8& v) {
  cpu::adamw_8bit_direction(step, gradient.mutable_data_ptr<float>(), raw(m), raw(v), gradient.numel());
}

const Operation<decltype(decode_8bit)> kDecode8bit("decode_8bit",
                                                   {.cpu = decode_on_cpu, .composed = composed::decode_8bit});
const Operation<decltype(encode_8bit)> kEncode8bit("encode_8bit",
                                                   {.cpu = encode_on_cpu, .composed = composed::encode_8bit});
const Operation<decltype(adamw_8bit_direction)> kAdamw8bit("adamw_8bit_direction",
                                                           {.cpu = adamw_8bit_on_cpu,
                                                            .cuda = cuda::adamw_8bit_direction,
                                                            .composed = composed::adamw_8bit_direction});

}  // namespace

const CodeBook& signed_code_book() {
  static const CodeBook book = make_code_book(true);
  return book;
}

const CodeBook& unsigned_code_book() {
  static const CodeBook book = make_code_book(false);
  return book;
}

void decode_8bit(const Codes8& source, at::Tensor& destination) {
  kDecode8bit(destination, source, destination);
}

void encode_8bit(const at::Tensor& source, Codes8& destination) { kEncode8bit(source, source, destination); }

void adamw_8bit_direction(const AdamStep& step, at::Tensor& gradient, Codes8& m, Codes8& v) {
  GALORE_ASSERT(gradient.is_contiguous() && gradient.numel() == m.codes.numel() &&
                gradient.numel() == v.codes.numel());
  GALORE_ASSERT(m.is_signed && !v.is_signed && m.block_size == v.block_size);
  kAdamw8bit(gradient, step, gradient, m, v);
}

namespace composed {

void decode_8bit(const Codes8& source, at::Tensor& destination) {
  const at::Tensor values =
      book_tensor(source.is_signed, source.codes.device()).index({source.codes.view({-1}).to(at::kLong)});
  const at::Tensor scaled = in_blocks(values, source.block_size) * source.scales.unsqueeze(1);
  destination.view({-1}).copy_(scaled.view({-1}).narrow(0, 0, source.codes.numel()));
}

void encode_8bit(const at::Tensor& source, Codes8& destination) {
  const at::Tensor blocks = in_blocks(source, destination.block_size);
  destination.scales.copy_(std::get<0>(blocks.abs().max(1)));
  const at::Tensor scales = destination.scales.unsqueeze(1);
  const at::Tensor relative = at::where(scales > 0, blocks / scales, at::zeros_like(blocks));
  const at::Tensor book = book_tensor(destination.is_signed, source.device());
  const at::Tensor midpoints = (book.narrow(0, 1, 255) + book.narrow(0, 0, 255)) * 0.5;
  at::Tensor codes =
      // number of midpoints below the value: a tie goes to the lower code
      at::bucketize(relative, midpoints);
  const at::Tensor lost_sign = at::logical_and(relative < 0, book.index({codes}) >= 0);
  codes = at::where(lost_sign, codes - 1, codes);
  destination.codes.view({-1}).copy_(codes.view({-1}).narrow(0, 0, source.numel()));
}

void adamw_8bit_direction(const AdamStep& step, at::Tensor& gradient, Codes8& m, Codes8& v) {
  const at::Tensor finite = gradient.isfinite();
  at::Tensor moment1 = at::empty_like(gradient), moment2 = at::empty_like(gradient);
  composed::decode_8bit(m, moment1);
  composed::decode_8bit(v, moment2);
  gradient.masked_fill_(finite.logical_not(), 0);
  composed::adamw_direction(step, gradient, moment1, moment2);
  for (at::Tensor* tensor : {&gradient, &moment1, &moment2}) tensor->masked_fill_(finite.logical_not(), 0);
  composed::encode_8bit(moment1, m);
  composed::encode_8bit(moment2, v);
}

}  // namespace composed
}  // namespace galore::kernels
