// Measures the memory bandwidth of this process's threads with streams over arrays far larger than the
// caches.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace galore::bench {

// A processor may read and write at the same time, so its bandwidth depends on the mixture. A kernel is
// compared with the stream that resembles it most. Plain stores to memory that was not read before cost a
// third transfer, because the line is read before it is overwritten; it is not counted.
enum class Stream {
  triad,     // a = b + s c, 12 bytes per element, written past the caches (McCalpin, STREAM)
  in_place,  // a = s a, 8 bytes per element
  read,      // sum of a, 4 bytes per element
  plain_triad,
  plain_copy  // a = s b, 8 bytes per element
};

class Bandwidth {
 public:
  Bandwidth();
  double bytes_per_second(Stream stream);  // one pass

 private:
  at::Tensor a_, b_, c_;
};

}  // namespace galore::bench
