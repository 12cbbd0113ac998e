#include "core/random.h"

#include <cmath>
#include <numbers>

#include "core/fnv1a.h"
#include "core/philox.h"

namespace galore {
namespace {

uint64_t mix(uint64_t hash, std::string_view text) {
  return (fnv1a(text, hash) ^ 0xff) * kFnv1aPrime;  // a separator, so that ("ab","c") differs from ("a","bc")
}

uint64_t finalize(uint64_t x) {  // SplitMix64's finalizer
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

RandomStream::RandomStream(uint64_t seed, std::string_view purpose, std::string_view name, uint64_t step)
    : step_(step) {
  const uint64_t hash =
      finalize(mix(mix(finalize(seed + 0x9e3779b97f4a7c15ULL) ^ kFnv1aBasis, purpose), name));
  key_ = {static_cast<uint32_t>(hash), static_cast<uint32_t>(hash >> 32)};
}

std::array<uint32_t, 4> RandomStream::block(uint64_t index) const { return philox_block(index, step_, key_); }

uint64_t RandomStream::next() {
  const auto words = block(position_ / 2);
  const size_t half = 2 * (position_++ % 2);
  return uint64_t{words[half]} | (uint64_t{words[half + 1]} << 32);
}

uint64_t RandomStream::below(uint64_t bound) {
  const uint64_t rejected = (0 - bound) % bound;  // 2^64 mod bound
  for (;;) {
    const uint64_t value = next();
    if (value >= rejected) return value % bound;
  }
}

std::array<float, 2> normal_pair(uint32_t a, uint32_t b) {
  const double u = ((a >> 8) + 1.0) * 0x1.0p-24;  // in (0, 1], so that the logarithm is finite
  const double angle = 2 * std::numbers::pi * (b >> 8) * 0x1.0p-24;
  const double radius = std::sqrt(-2 * std::log(u));
  return {static_cast<float>(radius * std::cos(angle)), static_cast<float>(radius * std::sin(angle))};
}

}  // namespace galore
