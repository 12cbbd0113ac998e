#include "optim/subspaces/subspace.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/dtypes.h"
#include "core/errors.h"
#include "kernels/dct.h"
#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "kernels/random_normal.h"
#include "kernels/serial_lapack.h"
#include "optim/subspaces/dct_basis.h"
#include "optim/subspaces/importance.h"

namespace galore {
namespace {

// Among the columns of one matrix, which follow from their numbers.
bool is_chosen(const SubspaceOptions& options) { return options.subspace == "dct"; }

int64_t determined_directions(const SingularVectors& vectors, double noise) {
  const double largest = vectors.values.select(0, 0).item<double>();
  if (!(largest > 0) || !std::isfinite(largest)) return 0;
  return (vectors.values > largest * noise).sum().item<int64_t>();
}

// `old` made of its leading directions outside the span of `known`, both with orthonormal columns, by the
// eigenvectors of a small Gram matrix. Should LAPACK not converge, some directions do as well.
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

// `known` and, behind it, orthonormal directions of `others`, the first of them that are needed for `rank`
// columns.
at::Tensor completed(const at::Tensor& known, const at::Tensor& others, int64_t rank, Workspace& workspace) {
  const at::Tensor all = at::cat({known, others.narrow(1, 0, rank - known.size(1))}, 1).contiguous();
  orthonormalize(all, workspace);
  return all;
}

// The sign of a singular vector is arbitrary, but moments outlive a refresh and know one: each new vector
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

Side side_of(const std::string& proj_type, int64_t m, int64_t n) {
  if (proj_type == "full") return Side::both;
  if (proj_type == "right") return Side::right;
  if (proj_type == "left") return Side::left;
  return (m >= n) == (proj_type == "std") ? Side::right : Side::left;
}

void declare_options(OptionTable& table, SubspaceOptions& options) {
  table.add("rank", &options.rank, "dimension of the subspace").range(1, 1e9).alias("galore_rank");
  table.add("update_proj_gap", &options.update_proj_gap, "updates between refreshes of the basis")
      .range(1, 1e15)
      .alias("galore_update_interval");
  table.add("proj_type", &options.proj_type, "which side of the gradient is projected")
      .choices({"std", "reverse_std", "left", "right", "full"})
      .alias("galore_proj_type");
  table.add("subspace", &options.subspace, "how the basis is found")
      .choices(subspace_names())
      .alias("proj");  // APOLLO's, with the values random and svd
  table
      .add("refresh", &options.refresh,
           "when bases are refreshed: together every update_proj_gap updates, or staggered over them; auto: "
           "staggered for subspace=warm")
      .choices({"auto", "together", "staggered"});
  table
      .add("signs", &options.signs,
           "signs of basis vectors: aligned with the old ones, or as LAPACK leaves them")
      .choices({"aligned", "lapack"});
  table
      .add("oversampling", &options.oversampling,
           "columns of random numbers beside the old basis in a search by iteration")
      .range(0, 1e6);
  table.add("rotate", &options.rotate, "turn what an iteration finds into singular directions");
  table.add("moment_transport", &options.moment_transport,
            "turn the moments into the new basis at a refresh, as LDAdam does");
  if (options.proj_bits > 0) {
    table.add("proj_bits", &options.proj_bits, "bits of a number of the basis; 4 and 8 are codes")
        .choices({"4", "8", "16", "32"});
  } else {
    table.add("basis_dtype", &options.basis_dtype, "number format the basis is kept in")
        .choices({"float32", "bfloat16", "int8", "int4"});
  }
  table.add("proj_group_size", &options.proj_group_size, "numbers of a basis in codes that share a scale")
      .range(2, 65536);
  declare_options(table, options.lazy);
}

BasisFormat SubspaceOptions::basis_format() const {
  static const std::map<int64_t, const char*> names{
      {4, "int4"}, {8, "int8"}, {16, "bfloat16"}, {32, "float32"}};
  if (proj_group_size % 2 != 0)
    fail_usage("proj_group_size", "expected an even number, given {}", proj_group_size);
  return {proj_bits > 0 ? names.at(proj_bits) : basis_dtype, proj_group_size};
}

namespace {

const std::map<std::string, BasisFinder>& basis_finders() {
  static const std::map<std::string, BasisFinder> table{{"svd", find_by_svd},
                                                        {"randomized", find_by_randomized_iteration},
                                                        {"warm", find_by_warm_iteration},
                                                        {"sketch", find_by_sketch}};
  return table;
}

}  // namespace

BasisFinder basis_finder(const std::string& name) {
  if (name == "i3s") return find_by_importance;
  return name == "orthogonal" ? find_at_random : basis_finders().at(name);
}

bool searches_by_products(const std::string& name) { return name != "svd" && name != "i3s" && name != "dct"; }

std::vector<std::string> basis_finder_names() {
  std::vector<std::string> names;
  for (const auto& [name, finder] : basis_finders()) names.push_back(name);
  return names;
}

std::vector<std::string> subspace_names() {
  std::vector<std::string> names = basis_finder_names();
  names.insert(names.end(), {"dct", "i3s", "orthogonal", "random"});
  return names;
}

Subspace::Subspace(const SubspaceOptions& options, int64_t m, int64_t n, Workspace& workspace)
    : options_(options),
      m_(m),
      n_(n),
      rank_(std::min({options.rank, m, n})),
      side_(side_of(options.proj_type, m, n)),
      max_rank_(rank_),
      workspace_(workspace) {
  if (side_ != Side::right) left_ = make_basis(m, "left");
  if (side_ != Side::left) right_ = make_basis(n, "right");
  if (options.lazy.cos_threshold > 0 && !regenerated() && !is_chosen(options))
    lazy_.emplace(options.lazy, options.update_proj_gap, left_ ? m : n, workspace.ledger());
}

std::unique_ptr<StoredBasis> Subspace::make_basis(int64_t rows, const char* side) {
  const BasisShape shape{rows, rank_, side};
  if (regenerated()) return std::make_unique<RegeneratedBasis>(shape, workspace_);
  if (is_chosen(options_)) return std::make_unique<DctBasis>(shape, workspace_);
  return make_stored_basis(options_.basis_format(), shape, workspace_);
}

void Subspace::choose_rank(const RankChoice& choice) {
  if (side_ != Side::both && !regenerated() && !is_chosen(options_)) choice_ = choice;
}

// The bytes of the old basis are given back.
void Subspace::set_rank(int64_t rank) {
  if (rank == rank_) return;
  const int64_t rows = left_ ? m_ : n_;
  workspace_.ledger().add(Owner::bases, -basis_bytes(options_.basis_format(), rows * rank_));
  rank_ = rank;
  (left_ ? left_ : right_) = make_basis(rows, left_ ? "left" : "right");
}

bool Subspace::due(int64_t updates) const {
  if (!established_) return true;
  return next_is_due_ ? *next_is_due_ : updates % gap() == phase_;
}

void Subspace::stagger(int64_t k, int64_t count) {
  if (options_.staggered()) phase_ = k * options_.update_proj_gap / count;
}

// Nothing of the gradient is needed. Two bases take neighbouring streams.
std::string Subspace::regenerate(const RandomStream& random) {
  const bool turns = options_.moment_transport && established_ && side_ != Side::both;
  const at::Tensor old = turns ? (left_ ? left() : right()).clone() : at::Tensor();
  if (left_) static_cast<RegeneratedBasis&>(*left_).renew(random);
  if (right_)
    static_cast<RegeneratedBasis&>(*right_).renew(
        {{random.key()[0] + (left_ ? 1 : 0), random.key()[1]}, random.step()});
  if (turns) rotation_ = at::mm(old.t(), left_ ? left() : right());
  established_ = 1;
  return "";
}

namespace {

// Of bases of cosines. turn: from the old basis to the new one, where there is but one.
struct ChosenColumns {
  std::string notice;
  at::Tensor turn;
};

ChosenColumns choose_columns(const GradientOperator& gradient, StoredBasis* left, StoredBasis* right,
                             Workspace& workspace) {
  const at::Tensor whole = gradient.dense();
  if (!gradient.usable()) return {"the gradient is not finite: keeps the old basis", {}};
  at::Tensor turn;
  for (StoredBasis* const stored : {left, right}) {
    if (!stored) continue;
    const at::Tensor sizes = dct_column_sizes(stored == left ? whole.t() : whole, workspace);
    if (whole.is_meta()) continue;
    const double largest = sizes.max().item<double>();
    if (!std::isfinite(largest)) return {"the gradient is not finite: keeps the old basis", {}};
    if (largest == 0) return {"the gradient is zero: keeps the old basis", {}};
    turn = static_cast<DctBasis&>(*stored).select(sizes);
  }
  return {"", left && right ? at::Tensor() : turn};
}

}  // namespace

std::string Subspace::refresh(const GradientOperator& gradient, const RandomStream& random,
                              const at::Tensor& average) {
  rotation_.reset();
  oblique_ = regenerated();
  if (regenerated()) return regenerate(random);
  if (is_chosen(options_)) {
    const ChosenColumns chosen = choose_columns(gradient, left_.get(), right_.get(), workspace_);
    if (options_.moment_transport && established_) rotation_ = chosen.turn;
    if (chosen.notice.empty()) established_ = 1;
    return chosen.notice;
  }
  const at::Tensor previous = established_ ? basis() : at::Tensor();
  const auto found = basis_finder(options_.subspace)(
      gradient,
      {side_, max_rank_, previous, random, workspace_, average, options_.oversampling, options_.rotate});
  if (gradient.is_meta()) {
    if (choice_) chosen_rank(gradient, left_ ? left() : right());
    if (gradient.rank_bound() < rank_) workspace_.ledger().note_transient(completion_bytes());
    established_ = 1;
    return "";
  }
  if (!found) {
    if (!established_) take_random(random);
    return "the decomposition of the gradient failed or the gradient is not finite: keeps the old basis";
  }
  return take_all(gradient, *found, random);
}

// A direction's share of the gradient's squared norm is that of its part of the low-rank gradient: a squared
// singular value, if it is a singular vector.
int64_t Subspace::chosen_rank(const GradientOperator& gradient, const at::Tensor& directions) {
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

std::string Subspace::take_all(const GradientOperator& gradient, const SingularVectors& found,
                               const RandomStream& random) {
  const int64_t determined = std::min(max_rank_, determined_directions(found, rounding_noise(m_, n_)));
  const at::Tensor old_left = left_ && established_ ? left_->read() : at::Tensor();
  const at::Tensor old_right = right_ && established_ ? right_->read() : at::Tensor();
  if (choice_ && determined > 0)
    set_rank(chosen_rank(gradient, (left_ ? found.left : found.right).narrow(1, 0, determined)));
  const auto first = [&](const at::Tensor& columns) {
    return columns.narrow(1, 0, std::min(rank_, determined));
  };
  if (left_) take(*left_, {first(found.left), old_left}, random);
  if (right_) take(*right_, {first(found.right), old_right}, random);
  if (determined > 0) established_ = 1;
  if (determined > 0 && lazy_) lazy_->observe((left_ ? found.left : found.right).select(1, 0));
  if (determined >= rank_) return "";
  if (determined == 0) return "the gradient is zero: keeps the old basis";
  return fmt::format("the gradient has rank {} of {}: keeps the old basis for the other directions",
                     determined, rank_);
}

// completed() holds about four matrices of the basis's size and two Gram matrices in fp64.
int64_t Subspace::completion_bytes() const {
  const int64_t rows = side_ == Side::left ? m_ : side_ == Side::right ? n_ : std::max(m_, n_);
  return 4 * 4 * rows * rank_ + 2 * 8 * rank_ * rank_;
}

void Subspace::take_random(const RandomStream& random) {
  if (left_) left_->write(random_orthonormal(m_, random));
  if (right_) right_->write(random_orthonormal(n_, random));
}

at::Tensor Subspace::random_orthonormal(int64_t rows, const RandomStream& random) {
  const at::Tensor matrix = at::empty({rows, rank_}, at::kFloat);
  random_normal(matrix, 1, random);
  orthonormalize(matrix, workspace_);
  return matrix.to(workspace_.ledger().device());
}

void Subspace::take(StoredBasis& stored, const Known& known, const RandomStream& random) {
  const at::Tensor& old = known.old;
  const int64_t determined = known.columns.size(1);
  if (determined == 0 && old.defined()) return;
  at::Tensor basis = known.columns;
  if (determined < rank_) {
    workspace_.ledger().note_transient(completion_bytes());
    const at::Tensor source = old.defined() ? old : random_orthonormal(basis.size(0), random);
    if (determined == 0) {
      basis = source;
    } else {  // random directions need no choice
      basis = completed(basis, old.defined() ? leading_outside(basis, old) : source, rank_, workspace_);
    }
  }
  if (options_.signs != "lapack") basis = aligned(basis, old);
  if (options_.moment_transport && old.defined() && side_ != Side::both) rotation_ = at::mm(old.t(), basis);
  stored.write(basis);
}

void Subspace::replace(Side side, const at::Tensor& basis, bool oblique) {
  oblique_ = oblique;
  StoredBasis& stored = side == Side::left ? *left_ : *right_;
  rotation_.reset();
  if (options_.moment_transport && side_ != Side::both) rotation_ = at::mm(stored.read().t(), basis);
  stored.write(basis);
}

std::vector<int64_t> Subspace::low_rank_shape() const {
  return {side_ == Side::right ? m_ : rank_, side_ == Side::left ? n_ : rank_};
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

// Between the singular vectors of both sides a gradient is diagonal; what a product leaves beside the
// diagonal is rounding, which a rule that divides by its size would lift to the size of the rest.
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
  direction.left = side_ == Side::right ? low_rank : left();
  if (side_ == Side::left) direction.right = low_rank;
  if (side_ == Side::right) direction.right = right().t();
  if (side_ == Side::both) direction.right = at::mm(low_rank, right().t());
  return direction;
}

void Subspace::visit(StateVisitor& visitor) {
  visitor.scalar("basis_established", established_);
  if (choice_) {
    int64_t rank = rank_;
    visitor.scalar("rank", rank);
    set_rank(std::clamp<int64_t>(rank, 1, max_rank_));
  }
  if (lazy_) lazy_->visit(visitor);
  if (left_) left_->visit("basis_left", visitor);
  if (right_) right_->visit("basis_right", visitor);
}

}  // namespace galore
