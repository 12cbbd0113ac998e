// A low-dimensional subspace of one weight's gradient, refreshed from time to time.
//
// With side right, the subspace has a basis of the row space, right [n, r], the low-rank gradient is R = G
// right [m, r], and the lift is R right^T. With side left, the basis is left [m, r], R = left^T G [r, n], and
// the lift is left R. With both sides, R = left^T G right [r, r], and the lift is left R right^T (GaLore,
// arXiv 2403.03507, Algorithm 1). side_of() returns the side for the option proj_type.
//
// A subspace consists of a basis (basis.h), a schedule of its refreshes (refresh_schedule.h), and the
// products that project and lift.
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
  // Makes a subspace for an m x n gradient. A rank above min(m, n) is lowered to min(m, n).
  Subspace(const SubspaceOptions& options, int64_t m, int64_t n, Workspace& workspace);

  // Takes a new basis from `gradient` (m x n). Directions that the gradient does not determine (because it is
  // zero, not finite, or of lower rank) keep the old basis. Returns a message in this case and "" otherwise.
  // `average` is described in BasisRequest.
  std::string refresh(const GradientOperator& gradient, const RandomStream& random,
                      const at::Tensor& average = {});
  std::string refresh(const at::Tensor& gradient, const RandomStream& random) {
    return refresh(DenseGradient(gradient), random);
  }
  // Replaces the basis of one side by a basis that the method has computed, after a refresh has established
  // one. The basis must be a searched one. rotation() is set as after a refresh. `oblique` means that the
  // columns are not orthonormal.
  void replace(Side side, const at::Tensor& basis, bool oblique = false);
  // Lets refreshes choose the rank from now on, if the basis is searched and has one side.
  void choose_rank(const RankChoice& choice);
  bool chooses_rank() const;
  // With `moment_transport`, after a refresh that replaced a basis: old^T new (old r x new r), the rotation
  // of low-rank tensors from the old basis to the new one's coordinates. Otherwise, and for side `both`, it
  // is undefined.
  const at::Tensor& rotation() const { return basis_->rotation(); }
  bool wants_average() const { return kind_.traits.wants_average; }
  // Returns true when a refresh has determined at least one direction.
  bool established() const { return basis_->established(); }
  // Returns true if the update after `updates` others begins with a refresh: every gap() updates, and as long
  // as no refresh has determined a direction.
  bool due(int64_t updates) const { return !established() || schedule_.due(updates); }
  int64_t gap() const { return schedule_.gap(); }
  void decide_next(bool due) { schedule_.decide_next(due); }
  void stagger(int64_t k, int64_t count) { schedule_.stagger(k, count); }

  // Returns the low-rank gradient in a workspace buffer that the next call reuses.
  at::Tensor project(const at::Tensor& gradient);
  // Projects the gradient that the last refresh() took, and measures it. For side `both`, entries that are
  // only rounding errors become zero.
  at::Tensor project_refreshed(const at::Tensor& gradient);
  at::Tensor project(const at::Tensor& gradient, bool refreshed) {
    return refreshed ? project_refreshed(gradient) : project(gradient);
  }
  // Measures the share of the squared norm of the last refresh's gradient that lies inside the subspace.
  // `low_rank` is the gradient's projection.
  void measure(const GradientOperator& gradient, const at::Tensor& low_rank);
  // Returns the last measurement, from 0 to 1, or nothing if the gradient was zero or not finite. Quantized
  // bases count as orthonormal.
  std::optional<double> captured_energy() const { return captured_energy_; }
  // Returns scale times the low-rank tensor in full space. lift() applies no other factor.
  Direction lift(const at::Tensor& low_rank, double scale);

  Side side() const { return side_; }
  // Returns true when the bases that are read have orthonormal columns, up to fp32 rounding.
  bool orthonormal() const;
  std::vector<int64_t> low_rank_shape() const;
  // left() and right() return the bases in fp32, decoded into a workspace buffer if they are stored in a
  // narrower format.
  at::Tensor left() { return basis_->left(); }
  at::Tensor right() { return basis_->right(); }
  // Returns the only basis or, for side `both`, the right one.
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
  bool oblique_ = false;  // the stored basis does not have orthonormal columns
  std::optional<double> captured_energy_;
  Workspace& workspace_;
};

}  // namespace galore
