// A sum or an answer (collective.h) as a sequence of elements, which an exchange cuts into runs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/collective.h"

namespace galore {

// The elements of an answer are its bytes. Those of a sum are its numbers and one more, which tells whether a
// use has reported. The sum or answer must outlive this object.
class Transfer {
 public:
  explicit Transfer(GradientSum& sum) : sum_(&sum), numel_(sum.total.numel()) {}
  explicit Transfer(OwnerAnswer& answer);

  // Returns the process that receives the sum or gives the answer, or kEveryProcess.
  int owner() const { return sum_ ? sum_->owner : answer_->owner; }
  int64_t size() const { return sum_ ? numel_ + 1 : numel_; }
  bool is_of(const void* sum_or_answer) const { return sum_ == sum_or_answer || answer_ == sum_or_answer; }
  at::Device device() const { return sum_ ? sum_->total.device() : answer_->parts.back().device(); }
  // Copies the elements from `from` on into `run`. A sum has one sequence for each of its partial sums.
  void give(int64_t node, int64_t from, const at::Tensor& run) const;
  // Sets the elements from `from` on.
  void take(int64_t from, const at::Tensor& run);

 private:
  template <typename Visit>
  void visit_parts(int64_t from, const at::Tensor& run, const Visit& visit) const;

  GradientSum* sum_ = nullptr;
  OwnerAnswer* answer_ = nullptr;
  int64_t numel_ = 0;
};

}  // namespace galore
