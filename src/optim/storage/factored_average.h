// An average of m x n matrices that is kept as a product of two thin factors, left right (LoRA-Pre).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/memory.h"
#include "core/random.h"
#include "core/state_visitor.h"

namespace galore {

class FactoredAverage {
 public:
  // left: m x rank, right: rank x n, fp32, of zeros. follow() moves the factors by `rate`.
  FactoredAverage(int64_t m, int64_t n, int64_t rank, double rate, Workspace& workspace);

  // Takes the best approximation of scale x. False if x is zero or the decomposition fails.
  bool start(const at::Tensor& x, double scale, const RandomStream& random);
  // Moves each factor towards its least-squares solution for x with the other one held.
  void follow(const at::Tensor& x);
  // out (m x n) = left right.
  void write_to(const at::Tensor& out) const;
  void visit(PrefixVisitor visitor);

 private:
  at::Tensor buffer(const char* name, at::IntArrayRef sizes);
  at::Tensor solved(const at::Tensor& thin, const at::Tensor& x);
  at::Tensor inverse_of(const at::Tensor& gram) const;

  int64_t rank_;
  double rate_;
  Workspace& workspace_;
  at::Tensor left_, right_;
};

}  // namespace galore
