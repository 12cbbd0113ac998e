// Keeps directions inside the subspace until the basis changes: the weight is W + B P^T (or W + P B).
//
// Lifting a low-rank direction costs 2 m n r in each update, however few tokens the update has. B -= eta
// alpha N costs almost nothing. Layers then compute with both terms, which costs 4 T r (m + n) for an update
// of T tokens. This is less when T < m n / (2 (m + n)), a quarter of the width of a square weight. Before the
// basis changes, B is added to W in fp32 and set to zero. W is not written in between, so bf16 weights are
// rounded once in an interval instead of once in an update.
//
// Legend: W m x n, r rank; P n x r (right) or m x r (left), B m x r or r x n.
//
// Memory: B in fp32, as much as one moment.
#pragma once

#include <string>

#include "core/memory.h"
#include "core/parameter.h"
#include "core/state_visitor.h"
#include "kernels/apply_direction.h"
#include "optim/direction.h"
#include "optim/subspaces/subspace.h"

namespace galore {

class LazyLift : public WeightTerm {
 public:
  // Makes the term for a subspace with one side. Parameter and subspace must outlive this object.
  LazyLift(Parameter& parameter, Subspace& subspace, Ledger& ledger);
  ~LazyLift() override;
  LazyLift(const LazyLift&) = delete;
  LazyLift& operator=(const LazyLift&) = delete;

  // Updates B as the update would write W. `direction` is a lift of N by the subspace.
  void add(const Direction& direction, const kernels::WeightUpdate& update);
  // Returns true when there was no update since the last fold. On the meta device it is always false, so that
  // a plan counts the buffers of the layers.
  bool empty() const override { return count_ == 0 && !low_rank_.is_meta(); }
  Factors factors() override;
  // Returns the direction to add to W; call clear() after adding it.
  Direction direction();
  void clear();
  // Visits B and, unless W is quantized, W itself: a model's files hold their sum.
  void visit(StateVisitor& visitor);

 private:
  Parameter& parameter_;
  Subspace& subspace_;
  at::Tensor low_rank_;  // B
  int64_t count_ = 0;    // number of updates in B
};

// Returns the name of B in a state that has W without B.
std::string lifted_name(const std::string& parameter);
// Returns true when lazy lift costs less for an update with this number of tokens.
bool lazy_lift_is_cheaper(int64_t tokens, int64_t m, int64_t n);

}  // namespace galore
