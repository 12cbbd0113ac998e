// How the C library's heap treats large blocks.
#pragma once

#include <cstddef>

namespace galore {

inline constexpr size_t kOwnPagesBytes = size_t{4} << 20, kKeptAtTopBytes = size_t{64} << 20;

// Gives blocks of 4 MiB or more pages of their own, which go back to the system when they are freed. Call it
// before other threads run. It does nothing where MALLOC_MMAP_THRESHOLD_ is set or the C library is not
// glibc.
//
// By default glibc puts blocks of up to 32 MiB into its heap once it has freed one of that size. Temporaries
// of a basis search (16 MiB in LLaMA 7B) then leave holes: the heap grew by 113 MB over eight layers
// (bench/runs/2026-11-30-7b-growth.md). Up to 64 MiB at the top of the heap stay, as glibc keeps them by
// then, so that the small temporaries of a steady step cause no page faults.
void keep_large_blocks_off_the_heap();

}  // namespace galore
