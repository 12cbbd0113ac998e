// A low-dimensional subspace of one weight's gradient, refreshed now and then.
//
// Side right: a basis of the row space, right [n, r]; low-rank gradient R = G right [m, r]; lift R right^T.
// Side left: left [m, r], R = left^T G [r, n], lift left R. Both: R = left^T G right [r, r], lift left R
// right^T (GaLore, arXiv 2403.03507, Algorithm 1). side_of() says which side the option proj_type means.
//
// A subspace is a basis (basis.h), a schedule of its refreshes (refresh_schedule.h), and the products that
// project and lift.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/random.h"
#include "core/state_visitor.h"
#include "optim/direction.h"
#include "optim/subspaces/basis_kind.h"
#include "optim/subspaces/gradient_operator.h"
#include "optim/subspaces/refresh_schedule.h"
#include "optim/subspaces/searched_basis.h"

namespace galore {

class Subspace {
 public:
  // For an m x n gradient; a rank above min(m, n) is lowered to it.
  Subspace(const SubspaceOptions& options, int64_t m, int64_t n, Workspace& workspace);

  // Takes a new basis from `gradient` (m x n). What the gradient does not determine (it is zero, not finite,
  // or of lower rank) keeps the old basis; the result says so, and is empty when all went well. `average` is
  // as in BasisRequest.
  std::string refresh(const GradientOperator& gradient, const RandomStream& random,
                      const at::Tensor& average = {});
  std::string refresh(const at::Tensor& gradient, const RandomStream& random) {
    return refresh(DenseGradient(gradient), random);
  }
  // Takes a basis that a method has moved itself, of one of its sides, after a refresh has established it.
  // The basis must be a searched one. rotation() is as after a refresh. `oblique`: the columns are not
  // orthonormal.
  void replace(Side side, const at::Tensor& basis, bool oblique = false);
  // From now on refreshes choose the rank, if the basis is searched and has one side.
  void choose_rank(const RankChoice& choice);
  bool chooses_rank() const;
  // With `moment_transport`, after a refresh that replaced a basis: old^T new (old r x new r), which rotates
  // low-rank tensors from the old basis's coordinates into the new one's; else undefined. Not of side `both`.
  const at::Tensor& rotation() const { return basis_->rotation(); }
  bool wants_average() const { return kind_.traits.wants_average; }
  // Whether a refresh has determined at least one direction.
  bool established() const { return basis_->established(); }
  // Whether the update that follows `updates` others begins with a refresh: every gap() updates, and as long
  // as no refresh has determined a direction.
  bool due(int64_t updates) const { return !established() || schedule_.due(updates); }
  int64_t gap() const { return schedule_.gap(); }
  void decide_next(bool due) { schedule_.decide_next(due); }
  void stagger(int64_t k, int64_t count) { schedule_.stagger(k, count); }

  // The low-rank gradient, in a workspace buffer that the next call reuses.
  at::Tensor project(const at::Tensor& gradient);
  // The same for the gradient that the last refresh() took. It is measured, and for side `both` entries that
  // are only rounding become zero.
  at::Tensor project_refreshed(const at::Tensor& gradient);
  at::Tensor project(const at::Tensor& gradient, bool refreshed) {
    return refreshed ? project_refreshed(gradient) : project(gradient);
  }
  // After a refresh: measures which share of the squared norm of its gradient lies inside the subspace.
  // `low_rank` is the gradient's projection.
  void measure(const GradientOperator& gradient, const at::Tensor& low_rank);
  // The last measurement, 0 to 1; nothing where the gradient is zero or not finite. Bases in codes count as
  // orthonormal.
  std::optional<double> captured_energy() const { return captured_energy_; }
  // scale * the low-rank tensor back in full space; never scaled otherwise.
  Direction lift(const at::Tensor& low_rank, double scale);

  Side side() const { return side_; }
  // Whether the bases that are read have orthonormal columns, to the rounding of fp32.
  bool orthonormal() const;
  std::vector<int64_t> low_rank_shape() const;
  // The bases in fp32, decoded into a workspace buffer if stored narrower.
  at::Tensor left() { return basis_->left(); }
  at::Tensor right() { return basis_->right(); }
  // The only basis, or the right one of both.
  at::Tensor basis() { return side_ == Side::left ? left() : right(); }
  void visit(StateVisitor& visitor);
  int64_t rank() const { return basis_->rank(); }

 private:
  const BasisKind& kind_;
  SubspaceOptions options_;
  int64_t m_, n_;
  Side side_;
  std::unique_ptr<Basis> basis_;
  RefreshSchedule schedule_;
  bool oblique_ = false;  // the basis that is read has no orthonormal columns
  std::optional<double> captured_energy_;
  Workspace& workspace_;
};

}  // namespace galore
