#include "optim/subspaces/subspace.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/errors.h"
#include "kernels/matmul.h"
#include "optim/subspaces/captured_energy.h"

namespace galore {
namespace {

// Returns the number of elements of a basis vector, or 0 if refreshes are never lazy.
int64_t observed_rows(const BasisKind& kind, Side side, int64_t m, int64_t n) {
  if (!kind.is_searched()) return 0;
  return side == Side::right ? n : m;
}

}  // namespace

Subspace::Subspace(const SubspaceOptions& options, int64_t m, int64_t n, Workspace& workspace)
    : kind_(basis_kind(options.subspace)),
      options_(options),
      m_(m),
      n_(n),
      side_(side_of(options.proj_type, m, n)),
      basis_(kind_.make(kind_, {options, m, n, std::min({options.rank, m, n}), side_, workspace})),
      schedule_(options, observed_rows(kind_, side_, m, n), workspace.ledger()),
      workspace_(workspace) {}

std::string Subspace::refresh(const GradientOperator& gradient, const RandomStream& random,
                              const at::Tensor& average) {
  oblique_ = !kind_.traits.orthonormal;
  const Basis::Refreshed refreshed = basis_->refresh(gradient, random, average);
  if (refreshed.leading.defined()) schedule_.observe(refreshed.leading);
  return refreshed.notice;
}

void Subspace::replace(Side side, const at::Tensor& basis, bool oblique) {
  GALORE_ASSERT(basis_->searched());
  oblique_ = oblique;
  basis_->searched()->replace(side, basis);
}

void Subspace::choose_rank(const RankChoice& choice) {
  if (SearchedBasis* searched = basis_->searched()) searched->choose_rank(choice);
}

bool Subspace::chooses_rank() const {
  const SearchedBasis* searched = basis_->searched();
  return searched && searched->chooses_rank();
}

bool Subspace::orthonormal() const {
  return kind_.traits.orthonormal && options_.basis_format().dtype == "float32";
}

std::vector<int64_t> Subspace::low_rank_shape() const {
  return {side_ == Side::right ? m_ : rank(), side_ == Side::left ? n_ : rank()};
}

at::Tensor Subspace::project(const at::Tensor& gradient) {
  at::Tensor low_rank = workspace_.get(Owner::workspace, "optimizer.low_rank", low_rank_shape(), at::kFloat);
  if (side_ == Side::right) {
    matrix_product(low_rank, gradient, right(), Write::replace);
  } else if (side_ == Side::left) {
    matrix_product(low_rank, left().t(), gradient, Write::replace);
  } else {
    matrix_product(low_rank, left().t(), at::mm(gradient, right()), Write::replace);
  }
  return low_rank;
}

// Between the singular vectors of both sides a gradient is diagonal. The other elements of the product are
// rounding errors, which a rule that divides by their size would raise to the size of the diagonal.
at::Tensor Subspace::project_refreshed(const at::Tensor& gradient) {
  at::Tensor low_rank = project(gradient);
  measure(DenseGradient(gradient), low_rank);
  if (side_ != Side::both || gradient.is_meta()) return low_rank;
  const at::Tensor size = low_rank.abs();
  return low_rank.masked_fill_(size < size.max() * rounding_noise(m_, n_), 0);
}

Direction Subspace::lift(const at::Tensor& low_rank, double scale) {
  Direction direction;
  direction.scale = scale;
  direction.low_rank = low_rank;
  direction.left = side_ == Side::right ? low_rank : left();
  if (side_ == Side::left) direction.right = low_rank;
  if (side_ == Side::right) direction.right = right().t();
  if (side_ == Side::both) direction.right = at::mm(low_rank, right().t());
  return direction;
}

void Subspace::measure(const GradientOperator& gradient, const at::Tensor& low_rank) {
  captured_energy_ = galore::captured_energy(gradient, low_rank, {*basis_, side_, oblique_}, workspace_);
}

void Subspace::visit(StateVisitor& visitor) {
  basis_->visit(visitor);
  schedule_.visit(visitor);
}

}  // namespace galore
