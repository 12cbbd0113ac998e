// What the memory gives to this process's threads now: streams over arrays far larger than the caches.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace galore::bench {

// A processor may read and write at once, so what it moves depends on the mixture: a kernel's share is of the
// stream that is most like it. Plain stores to memory that was not read before cost a third transfer, which
// is not counted: the line is read before it is overwritten.
enum class Stream {
  triad,     // a = b + s c, 12 bytes an element, written past the caches (McCalpin, STREAM)
  in_place,  // a = s a, 8 bytes
  read,      // sum of a, 4 bytes
  plain_triad,
  plain_copy  // a = s b, 8 bytes
};

class Bandwidth {
 public:
  Bandwidth();
  double bytes_per_second(Stream stream);  // one pass

 private:
  at::Tensor a_, b_, c_;
};

}  // namespace galore::bench
