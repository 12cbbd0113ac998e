// What the owner of a weight sends to the other processes in an update: a few facts, and the weight's new
// value or its low-rank direction (ownership.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/collective.h"
#include "optim/subspaces/subspace.h"

namespace galore {

struct WeightState;

// All members are of one type, because they are sent as bytes.
struct UpdateFacts {
  double squared_norm = 0;
  double reported = 1;  // 0: no use had a gradient, so nothing has changed
  double skipped = 0;   // 1: the gradient was not finite, so nothing has changed
  double moves = 1;     // 0: there is no direction
  double scale = 1;     // of the direction
  double clip_factor = 1;
  double rank = 0, captured_energy = -1;  // of a new basis; 0: none, -1: not measured
  double notices = 0;                     // number of messages for the user

  bool changes() const { return reported > 0 && skipped == 0; }
};

class WeightAnswer {
 public:
  // The owner gives facts and, for an answer by direction, the low-rank tensor or nothing. The others call
  // it without these. A new basis belongs to the answer when the weight's refresh is due.
  void prepare(const WeightState& weight, const UpdateFacts& facts = {}, const at::Tensor& low_rank = {});
  // The bytes that are sent. They are valid until reset().
  OwnerAnswer& bytes() { return bytes_; }
  void reset() { *this = {}; }

  // The other processes call these when they have received the bytes.
  UpdateFacts facts() const;
  const at::Tensor& low_rank() const { return low_rank_; }
  void take_basis(Subspace& subspace) const;

 private:
  void add(const at::Tensor& tensor);
  void add_value(const WeightState& weight);
  void add_basis(const WeightState& weight);

  OwnerAnswer bytes_;
  at::Tensor facts_, numbers_, low_rank_;
  std::vector<at::Tensor> kept_;  // parts of a basis that the old one must outlive
};

}  // namespace galore
