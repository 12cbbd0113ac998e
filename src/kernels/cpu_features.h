// What the processor offers, by cpuid; decides between ways of different speed whose results are the same
// but for rounding.
#pragma once

namespace galore {

// True where bf16 matrix products are faster than fp32 ones: AVX512-BF16 (every processor with AMX-BF16 has
// it too). Without it libtorch's bf16 products run at a small fraction of fp32 speed.
bool has_fast_bf16();

// True where oneDNN's fp32 products are much faster than MKL's: a processor with AVX-512 that is not Intel's,
// on which MKL keeps to its AVX2 code. Measured on 2 cores of an AMD EPYC (Zen 5): 410 against 180 GFLOP/s.
bool prefers_onednn_fp32();

}  // namespace galore
