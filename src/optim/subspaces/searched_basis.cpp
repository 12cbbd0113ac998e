#include "optim/subspaces/searched_basis.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/errors.h"
#include "kernels/orthonormalize.h"
#include "kernels/random_normal.h"
#include "kernels/serial_lapack.h"

namespace galore {
namespace {

int64_t determined_directions(const SingularVectors& vectors, double noise) {
  const double largest = vectors.values.select(0, 0).item<double>();
  if (!(largest > 0) || !std::isfinite(largest)) return 0;
  return (vectors.values > largest * noise).sum().item<int64_t>();
}

// Rotates `old` to its leading directions outside the span of `known`, by the eigenvectors of a small Gram
// matrix. Both have orthonormal columns. If LAPACK does not converge, any directions outside the span serve.
at::Tensor leading_outside(const at::Tensor& known, const at::Tensor& old) {
  const at::Tensor outside = old - known.matmul(known.t().matmul(old));
  try {
    const at::Tensor gram = at::mm(outside.t(), outside).to(at::kDouble);
    const SerialLapack serial(old.size(1));
    return outside.matmul(std::get<1>(at::linalg_eigh(gram)).flip({1}).to(at::kFloat));
  } catch (const c10::Error&) {
    return outside;
  }
}

// The sign of a singular vector is arbitrary, but moments outlive a refresh and depend on it. Each new vector
// takes the sign that agrees with its predecessor; without one, its largest entry is positive.
at::Tensor aligned(const at::Tensor& basis, const at::Tensor& old) {
  const int64_t rank = basis.size(1), known = old.defined() ? std::min(rank, old.size(1)) : 0;
  const at::Tensor fresh = basis.narrow(1, known, rank - known);
  at::Tensor agreement = at::empty({rank}, basis.options());
  if (known > 0)
    agreement.narrow(0, 0, known).copy_((basis.narrow(1, 0, known) * old.narrow(1, 0, known)).sum(0));
  if (known < rank)
    agreement.narrow(0, known, rank - known)
        .copy_(fresh.gather(0, fresh.abs().argmax(0, /*keepdim=*/true)).squeeze(0));
  return basis * at::where(agreement < 0, -1.0f, 1.0f);
}

}  // namespace

double rounding_noise(int64_t m, int64_t n) { return static_cast<double>(std::max(m, n)) * 1.1920929e-7; }

SearchedBasis::SearchedBasis(BasisFinder finder, const BasisInputs& inputs)
    : Basis(inputs),
      finder_(finder),
      options_(inputs.options),
      m_(inputs.m),
      n_(inputs.n),
      max_rank_(rank_),
      workspace_(inputs.workspace) {
  if (side_ != Side::right) left_ = store(m_, "left");
  if (side_ != Side::left) right_ = store(n_, "right");
}

std::unique_ptr<StoredBasis> SearchedBasis::store(int64_t rows, const char* side) const {
  return make_stored_basis(options_.basis_format(), {rows, rank_, side}, workspace_);
}

void SearchedBasis::choose_rank(const RankChoice& choice) {
  if (side_ != Side::both) choice_ = choice;
}

// The memory of the old basis is freed.
void SearchedBasis::set_rank(int64_t rank) {
  if (rank == rank_) return;
  const int64_t rows = left_ ? m_ : n_;
  workspace_.ledger().add(Owner::bases, -basis_bytes(options_.basis_format(), rows * rank_));
  rank_ = rank;
  (left_ ? left_ : right_) = store(rows, left_ ? "left" : "right");
}

Basis::Refreshed SearchedBasis::refresh(const GradientOperator& gradient, const RandomStream& random,
                                        const at::Tensor& average) {
  rotation_.reset();
  const at::Tensor previous = established() ? only_side() : at::Tensor();
  const auto found = finder_(gradient, {side_, max_rank_, previous, random, workspace_, average,
                                        options_.oversampling, options_.rotate});
  if (gradient.is_meta()) return claim_memory(gradient);
  if (found) return take_all(gradient, *found, random);
  if (!established()) take_random(random);
  return {"the decomposition of the gradient failed or the gradient is not finite: keeps the old basis"};
}

// Claims, on the meta device, the most memory that the rest of a refresh takes.
Basis::Refreshed SearchedBasis::claim_memory(const GradientOperator& gradient) {
  if (choice_) chosen_rank(gradient, only_side());
  if (gradient.rank_bound() < rank_) workspace_.ledger().note_transient(completion_bytes());
  established_ = 1;
  return {};
}

// A direction's share of the gradient's squared norm is the squared norm of its part of the low-rank
// gradient: a squared singular value, if it is a singular vector.
int64_t SearchedBasis::chosen_rank(const GradientOperator& gradient, const at::Tensor& directions) {
  const int64_t count = directions.size(1), rows = left_ ? n_ : m_;
  const at::Tensor part = workspace_.get(Owner::workspace, "subspace.part", {rows, count}, at::kFloat);
  left_ ? gradient.transpose_times(part, directions) : gradient.times(part, directions);
  const double whole = gradient.squared_norm();
  if (gradient.is_meta()) return count;
  const at::Tensor inside = part.to(at::kDouble).square_().sum(0).cumsum(0);
  const double wanted = (1 - choice_->energy) * whole;
  const int64_t fewer = (inside < wanted).sum().item<int64_t>();
  return std::clamp(fewer + 1, std::min(choice_->min_rank, count), count);
}

Basis::Refreshed SearchedBasis::take_all(const GradientOperator& gradient, const SingularVectors& found,
                                         const RandomStream& random) {
  const int64_t determined = std::min(max_rank_, determined_directions(found, rounding_noise(m_, n_)));
  const at::Tensor old_left = left_ && established() ? left_->read() : at::Tensor();
  const at::Tensor old_right = right_ && established() ? right_->read() : at::Tensor();
  if (choice_ && determined > 0)
    set_rank(chosen_rank(gradient, (left_ ? found.left : found.right).narrow(1, 0, determined)));
  const auto first = [&](const at::Tensor& columns) {
    return columns.narrow(1, 0, std::min(rank_, determined));
  };
  if (left_) take(*left_, {first(found.left), old_left}, random);
  if (right_) take(*right_, {first(found.right), old_right}, random);
  if (determined == 0) return {"the gradient is zero: keeps the old basis"};
  established_ = 1;
  const at::Tensor leading = (left_ ? found.left : found.right).select(1, 0);
  if (determined >= rank_) return {"", leading};
  return {fmt::format("the gradient has rank {} of {}: keeps the old basis for the other directions",
                      determined, rank_),
          leading};
}

// completed() holds about four matrices of the basis's size and two Gram matrices in fp64.
int64_t SearchedBasis::completion_bytes() const {
  const int64_t rows = side_ == Side::left ? m_ : side_ == Side::right ? n_ : std::max(m_, n_);
  return 4 * 4 * rows * rank_ + 2 * 8 * rank_ * rank_;
}

void SearchedBasis::take_random(const RandomStream& random) {
  if (left_) left_->write(random_orthonormal(m_, random));
  if (right_) right_->write(random_orthonormal(n_, random));
}

at::Tensor SearchedBasis::random_orthonormal(int64_t rows, const RandomStream& random) {
  const at::Tensor matrix = at::empty({rows, rank_}, at::kFloat);
  random_normal(matrix, 1, random);
  orthonormalize(matrix, workspace_);
  return matrix.to(workspace_.ledger().device());
}

// Returns the known columns, followed by as many orthonormal directions of the old basis as `rank` columns
// need. Without an old basis these directions are random.
at::Tensor SearchedBasis::completed(const Known& known, const RandomStream& random) {
  workspace_.ledger().note_transient(completion_bytes());
  const at::Tensor& columns = known.columns;
  at::Tensor others = known.old.defined() ? known.old : random_orthonormal(columns.size(0), random);
  if (columns.size(1) == 0) return others;
  if (known.old.defined()) others = leading_outside(columns, others);  // random directions need no choice
  const at::Tensor all = at::cat({columns, others.narrow(1, 0, rank_ - columns.size(1))}, 1).contiguous();
  orthonormalize(all, workspace_);
  return all;
}

void SearchedBasis::take(StoredBasis& stored, const Known& known, const RandomStream& random) {
  if (known.columns.size(1) == 0 && known.old.defined()) return;
  at::Tensor basis = known.columns.size(1) < rank_ ? completed(known, random) : known.columns;
  if (options_.signs != "lapack") basis = aligned(basis, known.old);
  if (transports_ && known.old.defined()) rotation_ = at::mm(known.old.t(), basis);
  stored.write(basis);
}

void SearchedBasis::replace(Side side, const at::Tensor& basis) {
  StoredBasis& stored = side == Side::left ? *left_ : *right_;
  rotation_.reset();
  if (transports_) rotation_ = at::mm(stored.read().t(), basis);
  stored.write(basis);
}

void SearchedBasis::visit(StateVisitor& visitor) {
  visitor.scalar("basis_established", established_);
  if (choice_) {
    int64_t rank = rank_;
    visitor.scalar("rank", rank);
    set_rank(std::clamp<int64_t>(rank, 1, max_rank_));
  }
  if (left_) left_->visit("basis_left", visitor);
  if (right_) right_->visit("basis_right", visitor);
}

}  // namespace galore
