#include "core/heap_policy.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <memory>

namespace galore {
namespace {

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
struct Free {
  void operator()(void* block) const { std::free(block); }
};
using Block = std::unique_ptr<void, Free>;

// Freeing a block with pages of its own makes glibc put later blocks of its size into the heap.
TEST(HeapPolicy, LargeBlocksKeepPagesOfTheirOwn) {
  keep_large_blocks_off_the_heap();
  Block(std::malloc(4 * kOwnPagesBytes)).reset();
  const auto mapped = [] { return mallinfo2().hblkhd; };
  const size_t before = mapped();
  const Block block(std::malloc(2 * kOwnPagesBytes));
  EXPECT_GE(mapped(), before + 2 * kOwnPagesBytes);
}
#endif

}  // namespace
}  // namespace galore
