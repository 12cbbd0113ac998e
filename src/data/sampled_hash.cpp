#include "data/sampled_hash.h"

#include <algorithm>
#include <vector>

#include "core/fnv1a.h"

namespace galore {

uint64_t sampled_hash(const Path& path, uint64_t hash) {
  constexpr uint64_t kSampleBytes = 1 << 16, kMostSamples = 256;
  const RandomAccessFile file(path);
  const uint64_t whole = (file.size() + kSampleBytes - 1) / kSampleBytes;
  const uint64_t samples = std::min(whole, kMostSamples);
  std::vector<char> sample(kSampleBytes);
  for (uint64_t i = 0; i < samples; ++i) {
    const uint64_t last = file.size() - std::min(file.size(), kSampleBytes);
    const uint64_t offset = samples == whole ? i * kSampleBytes : last / (samples - 1) * i;
    const size_t bytes = std::min<uint64_t>(kSampleBytes, file.size() - offset);
    file.read(offset, sample.data(), bytes);
    hash = fnv1a({sample.data(), bytes}, hash);
  }
  return hash;
}

}  // namespace galore
