// What bench_kernels measures: one kernel on one size, with the bytes it must move.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <vector>

#include "bench/kernels/bandwidth.h"

namespace galore::bench {

struct Work {
  // Counted from the algorithm: every input once, every output once, an operand updated in place twice. What
  // stays in a cache by construction (a row's second pass, tables, partial sums) counts once or not at all.
  double bytes;
  std::function<void()> kernel;
  std::function<void()> composed = nullptr;  // the same by operations of the tensor library; may be null
  std::function<void()> restore = nullptr;   // puts back what a run overwrites, where that would matter
  double operations = 0;                     // of a matrix product
  Stream stream = Stream::triad;             // the mixture of reads and writes that its share is of
};

struct KernelCase {
  std::string kernel, size;
  // Empty: it waits for memory. Else why it does not.
  std::string arithmetic;
  std::function<Work()> prepare;  // allocates; the tensors go when the work goes
};

// AdamW, weights, moments in 8 bits, random numbers, the lift.
std::vector<KernelCase> optimizer_cases();
// Norms, activation, rotary embedding, loss, conversions.
std::vector<KernelCase> layer_cases();

at::Tensor normal(at::IntArrayRef shape, at::ScalarType dtype = at::kFloat, double deviation = 1);

}  // namespace galore::bench
