#include "nn/initialize.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "core/errors.h"
#include "core/random.h"

namespace galore {
namespace {

constexpr int64_t kBlockNumbers = 4;  // normal numbers of one block of the stream

template <typename T>
void fill(T* values, int64_t count, double deviation, const RandomStream& stream) {
  const int64_t blocks = (count + kBlockNumbers - 1) / kBlockNumbers;
  at::parallel_for(0, blocks, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto words = stream.block(static_cast<uint64_t>(block));
      const auto first = normal_pair(words[0], words[1]), second = normal_pair(words[2], words[3]);
      const float numbers[kBlockNumbers] = {first[0], first[1], second[0], second[1]};
      const int64_t offset = block * kBlockNumbers;
      for (int64_t i = 0; i < std::min(kBlockNumbers, count - offset); ++i) {
        values[offset + i] = static_cast<T>(static_cast<float>(numbers[i] * deviation));
      }
    }
  });
}

}  // namespace

void fill_normal(const at::Tensor& value, double deviation, uint64_t seed, const std::string& name) {
  if (value.is_meta()) return;
  GALORE_ASSERT(value.is_contiguous());
  if (!value.is_cpu()) {
    const at::Tensor on_cpu = at::empty(value.sizes(), value.options().device(at::kCPU));
    fill_normal(on_cpu, deviation, seed, name);
    value.copy_(on_cpu);
    return;
  }
  const RandomStream stream(seed, "init", name);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, value.scalar_type(), "fill_normal", [&] {
    fill(value.data_ptr<scalar_t>(), value.numel(), deviation, stream);
  });
}

}  // namespace galore
