// A part of a text.
#pragma once

#include <cstddef>

namespace galore {

// [begin, end), in bytes.
struct TextSpan {
  size_t begin = 0, end = 0;
  bool operator==(const TextSpan&) const = default;
};

}  // namespace galore
