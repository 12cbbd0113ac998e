#include "optim/lazy_lift.h"

#include "core/errors.h"

namespace galore {
namespace {

constexpr const char* kLifted = "lifted";

}  // namespace

LazyLift::LazyLift(Parameter& parameter, Subspace& subspace, Ledger& ledger)
    : parameter_(parameter),
      subspace_(subspace),
      low_rank_(ledger.zeros(Owner::weights, subspace.low_rank_shape(), at::kFloat)) {
  GALORE_ASSERT(subspace.side() != Side::both);
  parameter_.term = this;
}

LazyLift::~LazyLift() {
  if (parameter_.term == this) parameter_.term = nullptr;
}

void LazyLift::add(const Direction& direction, const kernels::WeightUpdate& update) {
  const at::Tensor& adapted = subspace_.side() == Side::right ? direction.left : direction.right;
  GALORE_ASSERT(!direction.dense.defined() && adapted.sizes() == low_rank_.sizes());
  if (update.decay_before != 1) low_rank_.mul_(update.decay_before);
  low_rank_.add_(adapted, -update.learning_rate * direction.scale);
  if (update.decay_after != 1) low_rank_.mul_(update.decay_after);
  ++count_;
}

WeightTerm::Factors LazyLift::factors() {
  const Direction lifted = direction();
  return {lifted.left, lifted.right};
}

Direction LazyLift::direction() { return subspace_.lift(low_rank_, 1); }

void LazyLift::clear() {
  low_rank_.zero_();
  count_ = 0;
}

// A loading visitor sets the count before the state that depends on it.
void LazyLift::visit(StateVisitor& visitor) {
  visitor.scalar("updates_not_lifted", count_);
  if (count_ == 0) return;
  visitor.tensor(kLifted, low_rank_);
  if (!parameter_.codes) visitor.tensor("weight", parameter_.value);
}

std::string lifted_name(const std::string& parameter) { return parameter + "." + kLifted; }

bool lazy_lift_is_cheaper(int64_t tokens, int64_t m, int64_t n) { return 2 * tokens * (m + n) < m * n; }

}  // namespace galore
