// The memory that libraries take once a run computes, measured on this machine.
//
// Stacks of threads, packing buffers, generated code and the pages of a library that its first call brings in
// depend on the processor and on the library: no constant is right on two machines. So we compute a few
// products and small decompositions when a plan is made, and see by how much the process has grown.
#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>

namespace galore {

// The computations of a run that bring libraries in.
struct LibraryUse {
  at::ScalarType compute_dtype = at::kFloat;
  bool computes_bases = false;
  int64_t products = 0;  // that differ in shape, layout or dtype: oneDNN generates and keeps code for each
};

// Bytes that libraries take in such a run on the CPU, with the number of threads that is set now; an upper
// bound in all runs that were measured (tests/memory). Each kind of computation is measured once in a
// process, by the first call that needs it (some 50 ms on an idle processor). Any thread may call it.
int64_t library_bytes(const LibraryUse& use);

// The bytes that the measurements so far have made resident.
int64_t measured_library_bytes();

}  // namespace galore
