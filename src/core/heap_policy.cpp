#include "core/heap_policy.h"

#include <malloc.h>

#include <cstdlib>

namespace galore {

void keep_large_blocks_off_the_heap() {
#if defined(__GLIBC__)
  if (std::getenv("MALLOC_MMAP_THRESHOLD_")) return;
  ::mallopt(M_MMAP_THRESHOLD, static_cast<int>(kOwnPagesBytes));
  ::mallopt(M_TRIM_THRESHOLD, static_cast<int>(kKeptAtTopBytes));
#endif
}

}  // namespace galore
