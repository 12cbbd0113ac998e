// The processor's instruction sets, by cpuid. They decide between ways of different speed that give the same
// results but for rounding.
//
// The environment variable GALORE_MAX_CPU (avx2 or avx512) holds this program's kernels and decisions to a
// lesser processor, so that one machine can test the behaviour of another. It is read once. The libraries
// have variables of their own, which they read themselves: ATEN_CPU_CAPABILITY=avx2,
// MKL_ENABLE_INSTRUCTIONS=AVX2 and ONEDNN_MAX_CPU_ISA=AVX2. scripts/test-avx2 sets all four.
#pragma once

#include <string>

namespace galore {

// True where bf16 matrix products are faster than fp32 ones: AVX512-BF16 (every processor with AMX-BF16 has
// it too). Without it libtorch's bf16 products run at a small fraction of fp32 speed. Throws UsageError where
// GALORE_MAX_CPU has another value than avx2 and avx512.
bool has_fast_bf16();

// True where oneDNN's fp32 products are much faster than MKL's: a processor with AVX-512 that is not Intel's,
// on which MKL keeps to its AVX2 code. Measured on 2 cores of an AMD EPYC (Zen 5): 410 against 180 GFLOP/s.
bool prefers_onednn_fp32();

// Names everything about the processor that decides the rounding of results, as parts between slashes: our
// level, Highway's target, libtorch's capability and the processor's maker, for which MKL has kernels of its
// own; then AMX and the libraries' environment variables where there are any. For example
// "avx512_bf16/highway-avx3/aten-avx512/amd". Two machines of one name should give the same bits where the
// number of threads is the same too; MKL does not promise it.
std::string kernel_level();

}  // namespace galore
