// Refreshes a basis less often when it moves little (Zhang et al. 2024, Q-GaLore, arXiv 2407.08296, section
// 3.2 and its code).
//
// At every refresh after the first, |cos| between the new first singular vector and the old one enters a
// queue of `queue_size`. When the queue is full and its mean is at least `cos_threshold`, the gap is
// multiplied by `gamma_proj`. The queue is not emptied then, so the next refresh may multiply the gap again,
// as in the authors' code.
//
// Departure: the authors' cosine has a sign, which is arbitrary for a singular vector; here the sign is
// ignored. A warm search starts from the old basis and so finds larger cosines than an exact one.
//
// State: the old vector, four bytes for each element, and a few numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/memory.h"
#include "core/options.h"
#include "core/state_visitor.h"

namespace galore {

struct LazyOptions {
  double cos_threshold = 0;  // 0: the gap stays constant
  double gamma_proj = 2;
  int64_t queue_size = 5;
};
void declare_options(OptionTable& table, LazyOptions& options);

class LazySchedule {
 public:
  // `rows` is the number of elements of the vectors.
  LazySchedule(const LazyOptions& options, int64_t gap, int64_t rows, Ledger& ledger);

  int64_t gap() const { return gap_; }
  // Takes the first vector that a refresh found: a unit vector of `rows` elements, fp32.
  void observe(const at::Tensor& first_vector);
  void visit(StateVisitor& visitor);

 private:
  LazyOptions options_;
  int64_t gap_;
  int64_t seen_ = 0;  // number of vectors seen
  at::Tensor previous_;
  // cosines of the last refreshes, the oldest first; the first entries may be unused
  std::vector<double> cosines_;
};

}  // namespace galore
