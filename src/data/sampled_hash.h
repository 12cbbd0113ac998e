// A hash of a file of any size that is quickly computed.
#pragma once

#include <cstdint>

#include "core/files.h"

namespace galore {

// Continues an FNV-1a hash by up to 256 samples of a file's bytes, evenly spaced, or by all bytes of a file
// that these would cover.
uint64_t sampled_hash(const Path& path, uint64_t hash);

}  // namespace galore
