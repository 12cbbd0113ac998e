// Detects the processor's instruction sets by cpuid. They decide between methods that differ in speed and
// whose results are equal up to rounding.
//
// The environment variable GALORE_MAX_CPU (avx2 or avx512) limits this program's kernels and decisions to
// those of a lesser processor, so that one machine can test the behaviour of another. It is read once. The
// libraries read variables of their own: ATEN_CPU_CAPABILITY=avx2, MKL_ENABLE_INSTRUCTIONS=AVX2 and
// ONEDNN_MAX_CPU_ISA=AVX2. scripts/test-avx2 sets all four.
#pragma once

#include <string>

namespace galore {

// Returns true if bf16 matrix products are faster than fp32 ones, which needs AVX512-BF16 (every processor
// with AMX-BF16 has it, too). Without it libtorch's bf16 products run at a small fraction of fp32 speed.
// Throws UsageError if GALORE_MAX_CPU is neither avx2 nor avx512.
bool has_fast_bf16();

// True when oneDNN's fp32 products are much faster than MKL's: on a processor with AVX-512 that is not
// Intel's, where MKL uses its AVX2 code. Measured on 2 cores of an AMD EPYC (Zen 5): 410 against 180 GFLOP/s.
bool prefers_onednn_fp32();

// Names every property of the processor that affects the rounding of results, as parts between slashes: our
// level, Highway's target, libtorch's capability, and the processor's maker, because MKL has kernels for each
// maker; then AMX and the libraries' environment variables, if there are any. An example is
// "avx512_bf16/highway-avx3/aten-avx512/amd". Two machines with equal names and equal numbers of threads
// should give the same bits; MKL does not promise it.
std::string kernel_level();

}  // namespace galore
