// Directions that stay inside the subspace until the basis changes: the weight is W + B P^T (or W + P B).
//
// Lifting a low-rank direction costs 2 m n r an update, however few tokens it has. B -= eta alpha N costs
// nothing, and layers compute with both terms instead, for 4 T r (m + n) an update of T tokens: less where T
// < m n / (2 (m + n)), a quarter of the width of a square weight. B is folded into W before the basis
// changes, in fp32, and then begins at zero. W is not written in between: narrow weights are rounded once an
// interval instead of once an update.
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
  // Of a subspace with one side. Both must outlive this.
  LazyLift(Parameter& parameter, Subspace& subspace, Ledger& ledger);
  ~LazyLift() override;
  LazyLift(const LazyLift&) = delete;
  LazyLift& operator=(const LazyLift&) = delete;

  // B as the update would write W, `direction` being a lift of N by the subspace.
  void add(const Direction& direction, const kernels::WeightUpdate& update);
  // Nothing since the last fold. On the meta device never, so that a plan sees what layers claim.
  bool empty() const override { return count_ == 0 && !low_rank_.is_meta(); }
  Factors factors() override;
  // What is to be added to W now; clear() when that is done.
  Direction direction();
  void clear();
  // B and, unless it is in codes, W itself: a model's files hold their sum.
  void visit(StateVisitor& visitor);

 private:
  Parameter& parameter_;
  Subspace& subspace_;
  at::Tensor low_rank_;  // B
  int64_t count_ = 0;    // updates in B
};

// The name of B in a state whose weight is W alone.
std::string lifted_name(const std::string& parameter);
// Whether an update of so many tokens costs less that way.
bool lazy_lift_is_cheaper(int64_t tokens, int64_t m, int64_t n);

}  // namespace galore
