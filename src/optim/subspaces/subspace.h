// A low-dimensional subspace of one weight's gradient, refreshed now and then.
//
// Side right: an orthonormal basis of the row space, right [n, r]; low-rank gradient R = G right [m, r]; lift
// R right^T. Side left: left [m, r], R = left^T G [r, n], lift left R. Both: R = left^T G right [r, r], lift
// left R right^T. GaLore (arXiv 2403.03507, Algorithm 1 and its code's `proj_type`):
//
//   proj_type     m >= n   m < n
//   std           right    left      the long side stays in the moments
//   reverse_std   left     right
//   right, left   that side always
//   full          both
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/options.h"
#include "core/random.h"
#include "core/state_visitor.h"
#include "optim/direction.h"
#include "optim/subspaces/gradient_operator.h"
#include "optim/subspaces/lazy_schedule.h"
#include "optim/subspaces/stored_basis.h"

namespace galore {

struct SubspaceOptions {
  int64_t rank = 128;
  int64_t update_proj_gap = 200;
  std::string proj_type = "std";
  std::string subspace = "warm";
  std::string refresh = "auto";
  std::string signs = "aligned";
  std::string basis_dtype = "float32";
  int64_t proj_bits = 0;  // above 0: decides in the place of basis_dtype, as Q-GaLore's users know it
  int64_t proj_group_size = 256;
  LazyOptions lazy = {};
  int64_t oversampling = 16;
  bool rotate = true;
  bool moment_transport = false;

  BasisFormat basis_format() const;
  bool staggered() const { return refresh == "staggered" || (refresh == "auto" && subspace == "warm"); }
};
void declare_options(OptionTable& table, SubspaceOptions& options);

enum class Side { right, left, both };
Side side_of(const std::string& proj_type, int64_t m, int64_t n);

// Leading singular vectors of a gradient, by columns, with their singular values in falling order. A side
// that was not asked for may be undefined.
struct SingularVectors {
  at::Tensor left, right, values;
};

// What a search may use beside the gradient.
struct BasisRequest {
  Side side;
  int64_t rank;
  at::Tensor
      previous;  // the old basis of the wanted side (right for `both`), fp32: a start; may be undefined
  RandomStream random;
  Workspace& workspace;  // the result may live there until the next search
  // A rule's average of low-rank gradients in the old basis, m x r or r x n; may be undefined.
  at::Tensor average = {};
  // Of the iterations: columns of random numbers beside the old basis, and whether the result is turned into
  // singular directions.
  int64_t oversampling = 16;
  bool rotate = true;
};

// How a basis is found: the leading `rank` singular vectors of `gradient`, exact or nearly. nullopt: the
// computation failed. On the meta device only the buffers are claimed.
using BasisFinder = std::optional<SingularVectors> (*)(const GradientOperator& gradient,
                                                       const BasisRequest& request);
// By the option `subspace`.
BasisFinder basis_finder(const std::string& name);
// Of those that search the gradient.
std::vector<std::string> basis_finder_names();
// All values of the option: the searches, dct (dct_basis.h), i3s (importance.h), orthogonal, which asks
// nothing of the gradient, and random, which is not even kept.
std::vector<std::string> subspace_names();
// Whether this one is content with products of the gradient.
bool searches_by_products(const std::string& name);
// Uniform among orthonormal bases, whatever the gradient is: the Q of a matrix of normal numbers (GoLore,
// arXiv 2410.11289).
std::optional<SingularVectors> find_at_random(const GradientOperator& gradient, const BasisRequest& request);
// Thin SVD by LAPACK (gesdd); falls back to the eigenvectors of the Gram matrix in fp64 when it fails.
std::optional<SingularVectors> find_by_svd(const GradientOperator& gradient, const BasisRequest& request);
// Randomized subspace iteration (Halko, Martinsson, Tropp 2011, Algorithm 4.4) from the old basis and 16
// columns of random numbers, then rotated into singular directions. randomized: two iterations; warm: one, as
// in PowerSGD (arXiv 1905.13727) and LDAdam (2410.16103), which do not rotate; sketch: half of one, from the
// rule's average of low-rank gradients instead of a product with the gradient. All: three when there is no
// old basis.
std::optional<SingularVectors> find_by_randomized_iteration(const GradientOperator& gradient,
                                                            const BasisRequest& request);
std::optional<SingularVectors> find_by_warm_iteration(const GradientOperator& gradient,
                                                      const BasisRequest& request);
std::optional<SingularVectors> find_by_sketch(const GradientOperator& gradient, const BasisRequest& request);

// How many directions a refresh keeps (AdaRankGrad, arXiv 2410.17881): the fewest that leave no more than
// `energy` of the gradient's squared norm outside, but at least min_rank, and at most the rank that the
// options say.
struct RankChoice {
  int64_t min_rank = 1;
  double energy = 0.04;
};

// Singular values of an m x n matrix below this share of the largest are fp32's rounding (numpy's matrix_rank
// rule).
double rounding_noise(int64_t m, int64_t n);

class Subspace {
 public:
  // Of an m x n gradient; a rank above min(m, n) is lowered to it.
  Subspace(const SubspaceOptions& options, int64_t m, int64_t n, Workspace& workspace);

  // Takes a new basis from `gradient` (m x n). What the gradient does not determine (it is zero, not finite,
  // or of lower rank) keeps the old basis; the result says so, and is empty when all went well. `average`: as
  // in BasisRequest.
  std::string refresh(const GradientOperator& gradient, const RandomStream& random,
                      const at::Tensor& average = {});
  std::string refresh(const at::Tensor& gradient, const RandomStream& random) {
    return refresh(DenseGradient(gradient), random);
  }
  // Takes a basis that a method has moved itself, of one of its sides, after a refresh has established it.
  // Not where it is random or dct. rotation() is as after a refresh. `oblique`: its columns are not
  // orthonormal.
  void replace(Side side, const at::Tensor& basis, bool oblique = false);
  // From now on refreshes choose the rank. Before the first one it is the largest. Not of side `both`, nor of
  // random bases: these keep their rank.
  void choose_rank(const RankChoice& choice);
  bool chooses_rank() const { return choice_.has_value(); }
  // With `moment_transport`, after a refresh that replaced a basis: old^T new (old r x new r), which turns
  // low-rank tensors of the old basis into the new one's coordinates; else undefined. Not of side `both`.
  const at::Tensor& rotation() const { return rotation_; }
  bool wants_average() const { return options_.subspace == "sketch"; }
  // Whether a refresh has determined at least one direction.
  bool established() const { return established_ != 0; }
  // Whether the update that follows `updates` others is to begin with a refresh: every gap() updates, and as
  // long as none has determined a direction.
  int64_t gap() const { return lazy_ ? lazy_->gap() : options_.update_proj_gap; }
  bool due(int64_t updates) const;
  // From now on the caller decides after each update whether the next one begins with a refresh.
  void decide_next(bool due) { next_is_due_ = due; }
  // Of `count` bases, this is number k: where refreshes are staggered, it is due k / count of a gap later.
  void stagger(int64_t k, int64_t count);

  // The low-rank gradient, in a workspace buffer that the next call reuses.
  at::Tensor project(const at::Tensor& gradient);
  // The same of the gradient that the last refresh() took, measured; for side `both` without what is only
  // rounding.
  at::Tensor project_refreshed(const at::Tensor& gradient);
  // The one or the other.
  at::Tensor project(const at::Tensor& gradient, bool refreshed) {
    return refreshed ? project_refreshed(gradient) : project(gradient);
  }
  // After a refresh: which share of the squared norm of its gradient lies inside the subspace. low_rank:
  // project() of it. Where the gradient's norm is not known without a product of its size, the part outside
  // is estimated by 16 columns of random numbers (captured_energy.cpp).
  void measure(const GradientOperator& gradient, const at::Tensor& low_rank);
  // What was measured last, 0 to 1; nothing where the gradient is zero or not finite. Bases in codes count as
  // orthonormal.
  std::optional<double> captured_energy() const { return captured_energy_; }
  // scale * the low-rank tensor back in full space; never scaled otherwise.
  Direction lift(const at::Tensor& low_rank, double scale);

  Side side() const { return side_; }
  // Whether the bases that are read have orthonormal columns, to the rounding of fp32.
  bool orthonormal() const { return !regenerated() && options_.basis_format().dtype == "float32"; }
  std::vector<int64_t> low_rank_shape() const;
  // The bases in fp32 (decoded into a workspace buffer if stored narrower).
  at::Tensor left() { return left_->read(); }
  at::Tensor right() { return right_->read(); }
  // The only one, or of both the right one.
  at::Tensor basis() { return side_ == Side::left ? left() : right(); }
  void visit(StateVisitor& visitor);
  int64_t rank() const { return rank_; }

 private:
  std::unique_ptr<StoredBasis> make_basis(int64_t rows, const char* side);
  bool regenerated() const { return options_.subspace == "random"; }
  std::string regenerate(const RandomStream& random);
  std::string take_all(const GradientOperator& gradient, const SingularVectors& found,
                       const RandomStream& random);
  // What is known of a new basis: its first columns, and the basis that it replaces, if any.
  struct Known {
    at::Tensor columns, old;
  };
  void take(StoredBasis& stored, const Known& known, const RandomStream& random);
  int64_t chosen_rank(const GradientOperator& gradient, const at::Tensor& directions);
  void set_rank(int64_t rank);
  int64_t completion_bytes() const;
  void take_random(const RandomStream& random);
  at::Tensor random_orthonormal(int64_t rows, const RandomStream& random);
  double inside_squared_norm(const at::Tensor& low_rank);
  double outside_squared_norm(const GradientOperator& gradient);

  SubspaceOptions options_;
  int64_t m_, n_, rank_;
  Side side_;
  std::unique_ptr<StoredBasis> left_, right_;  // [m, r], [n, r]; null where the side has none
  std::optional<LazySchedule> lazy_;
  std::optional<RankChoice> choice_;
  int64_t max_rank_;
  std::optional<bool> next_is_due_;
  at::Tensor rotation_;
  bool oblique_ = false;  // the basis that is read has no orthonormal columns
  std::optional<double> captured_energy_;
  int64_t established_ = 0;
  int64_t phase_ = 0;  // refreshes are due when the number of updates is this, modulo the gap
  Workspace& workspace_;
};

}  // namespace galore
