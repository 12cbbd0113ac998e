// The 64-bit FNV-1a hash (Fowler, Noll, Vo) for fingerprints and keys. It offers no protection against
// forgery.
#pragma once

#include <cstdint>
#include <string_view>

namespace galore {

inline constexpr uint64_t kFnv1aBasis = 14695981039346656037ULL, kFnv1aPrime = 1099511628211ULL;

// Continues from `hash`, so that the hash of a text can be computed piece by piece.
inline uint64_t fnv1a(std::string_view bytes, uint64_t hash = kFnv1aBasis) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * kFnv1aPrime;
  return hash;
}

}  // namespace galore
