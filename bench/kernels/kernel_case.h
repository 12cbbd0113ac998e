// A measurement of bench_kernels: one kernel on one size, with the bytes that it must move.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <vector>

#include "bench/kernels/bandwidth.h"

namespace galore::bench {

struct Work {
  // Counted from the algorithm: every input once, every output once, an operand updated in place twice. Data
  // that stays in a cache by construction (a row's second pass, tables, partial sums) counts at most once.
  double bytes;
  std::function<void()> kernel;
  std::function<void()> composed = nullptr;  // the same by tensor operations; may be null
  std::function<void()> restore = nullptr;   // puts back data that a run overwrites, where this matters
  double operations = 0;                     // of a matrix product
  Stream stream = Stream::triad;             // the mixture of reads and writes to compare with
};

struct KernelCase {
  std::string kernel, size;
  // The reason why the kernel does not wait for memory; empty when it does.
  std::string arithmetic;
  std::function<Work()> prepare;  // allocates the tensors; they are freed with the work
};

// Returns the kernels of an optimizer step: AdamW, weights, 8-bit moments, random numbers, the lift.
std::vector<KernelCase> optimizer_cases();
// Returns the kernels of a layer and the loss: norms, activation, rotary embedding, loss, conversions.
std::vector<KernelCase> layer_cases();
// Returns cases of attention over separate rows and over one packed row.
std::vector<KernelCase> attention_cases();

at::Tensor normal(at::IntArrayRef shape, at::ScalarType dtype = at::kFloat, double deviation = 1);

}  // namespace galore::bench
