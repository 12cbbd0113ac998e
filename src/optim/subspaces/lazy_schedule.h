// Refreshes a basis the more rarely the less it moves (Zhang et al. 2024, Q-GaLore, arXiv 2407.08296,
// section 3.2 and its code).
//
// At every refresh after the first, |cos| between the new first singular vector and the old one enters a
// queue of `queue_size`. When the queue is full and its mean is at least `cos_threshold`, the gap is
// multiplied by `gamma_proj`. The queue is not emptied then, so that the next refresh may do so again, as in
// the authors' code.
//
// Departure: the authors' cosine keeps its sign, which for a singular vector is arbitrary; here it has none.
// A warm search, which starts from the old basis, finds larger cosines than an exact one.
//
// State: the old vector, four bytes an element, and a few numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/memory.h"
#include "core/options.h"
#include "core/state_visitor.h"

namespace galore {

struct LazyOptions {
  double cos_threshold = 0;  // 0: the gap stays as it is
  double gamma_proj = 2;
  int64_t queue_size = 5;
};
void declare_options(OptionTable& table, LazyOptions& options);

class LazySchedule {
 public:
  // Of vectors with `rows` elements.
  LazySchedule(const LazyOptions& options, int64_t gap, int64_t rows, Ledger& ledger);

  int64_t gap() const { return gap_; }
  // What a refresh found: a unit vector of `rows` elements, fp32.
  void observe(const at::Tensor& first_vector);
  void visit(StateVisitor& visitor);

 private:
  LazyOptions options_;
  int64_t gap_;
  int64_t seen_ = 0;  // vectors
  at::Tensor previous_;
  std::vector<double> cosines_;  // of the last refreshes, the oldest first; the first of them may be unused
};

}  // namespace galore
