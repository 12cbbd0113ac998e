#include "kernels/random_normal.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "core/errors.h"
#include "kernels/group_quantize.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

constexpr int64_t kCodedPiece = 1 << 20;  // numbers that are made before they are quantized
constexpr int64_t kPiece = 16384;  // numbers that a thread makes at once; its fp32 copy stays in the cache

// Fills from number 4 * first_block of the stream on.
void fill_on_cpu(const at::Tensor& out, uint64_t first_block, double deviation, const RandomStream& stream) {
  const int64_t count = out.numel(), pieces = (count + kPiece - 1) / kPiece;
  const at::Tensor flat = out.view({count});
  at::parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> copy(out.scalar_type() == at::kFloat ? 0 : kPiece);
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t first = piece * kPiece, length = std::min(kPiece, count - first);
      float* numbers = copy.empty() ? flat.data_ptr<float>() + first : copy.data();
      kernels::cpu::random_normal(numbers, length, first_block + static_cast<uint64_t>(first / 4),
                                  static_cast<float>(deviation), stream);
      if (!copy.empty()) flat.narrow(0, first, length).copy_(at::from_blob(numbers, {length}));
    }
  });
}

void fill_by_host(const at::Tensor& out, double deviation, const RandomStream& stream) {
  const at::Tensor host = at::empty(out.sizes(), out.options().device(at::kCPU));
  fill_on_cpu(host, 0, deviation, stream);
  out.copy_(host);
}

void fill_whole_on_cpu(const at::Tensor& out, double deviation, const RandomStream& stream) {
  fill_on_cpu(out, 0, deviation, stream);
}

const kernels::Operation<decltype(fill_by_host)> kRandomNormal("random_normal", {.cpu = fill_whole_on_cpu,
                                                                                 .composed = fill_by_host});

}  // namespace

void random_normal(const at::Tensor& out, double deviation, const RandomStream& stream) {
  GALORE_ASSERT(out.is_contiguous());
  if (out.numel() > 0) kRandomNormal(out, out, deviation, stream);
}

void random_normal(const GroupQuantized& out, double deviation, const RandomStream& stream) {
  if (out.is_meta()) return;
  // A piece has whole groups and whole blocks of the stream: 4 groups of any even size have both.
  const int64_t four_groups = 4 * out.format.group_size, count = out.numel();
  const int64_t piece = std::max<int64_t>(1, kCodedPiece / four_groups) * four_groups;
  const at::Tensor numbers = at::empty({std::min(piece, count)}, at::kFloat);
  kernels::GroupEncoder encoder(out);
  for (int64_t first = 0; first < count; first += piece) {
    const at::Tensor part = numbers.narrow(0, 0, std::min(piece, count - first));
    fill_on_cpu(part, static_cast<uint64_t>(first / 4), deviation, stream);
    encoder.add(part.to(out.codes.device()), first);
  }
  encoder.finish();
}

void composed::random_normal(float* out, int64_t count, uint64_t first_block, double deviation,
                             const RandomStream& stream) {
  for (int64_t i = 0; i < count; ++i) {
    const auto words = stream.block(first_block + static_cast<uint64_t>(i / 4));
    const size_t pair = static_cast<size_t>(i % 4 / 2);
    out[i] = static_cast<float>(
        normal_pair(words[2 * pair], words[2 * pair + 1])[static_cast<size_t>(i % 2)] * deviation);
  }
}

}  // namespace galore
