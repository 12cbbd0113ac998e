// A basis that a search finds in the gradient and that is stored as numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "optim/subspaces/basis.h"
#include "optim/subspaces/basis_finder.h"

namespace galore {

// Chooses how many directions a refresh keeps (AdaRankGrad, arXiv 2410.17881): the fewest that leave at most
// `energy` of the gradient's squared norm outside, but at least min_rank and at most the rank of the options.
struct RankChoice {
  int64_t min_rank = 1;
  double energy = 0.04;
};

class SearchedBasis : public Basis {
 public:
  SearchedBasis(BasisFinder finder, const BasisInputs& inputs);

  Refreshed refresh(const GradientOperator& gradient, const RandomStream& random,
                    const at::Tensor& average) override;
  at::Tensor left() override { return left_->read(); }
  at::Tensor right() override { return right_->read(); }
  // A loaded state with a smaller rank shrinks the basis.
  void visit(StateVisitor& visitor) override;
  SearchedBasis* searched() override { return this; }

  // Replaces the basis of one side by a basis that the method has computed, after a refresh has established
  // one.
  void replace(Side side, const at::Tensor& basis);
  // Lets refreshes choose the rank from now on. Before the first refresh the rank is the largest. A basis of
  // two sides keeps its rank.
  void choose_rank(const RankChoice& choice);
  bool chooses_rank() const { return choice_.has_value(); }

 private:
  // The known parts of a new basis: its first columns, and the basis that it replaces, if any.
  struct Known {
    at::Tensor columns, old;
  };
  std::unique_ptr<StoredBasis> store(int64_t rows, const char* side) const;
  Refreshed claim_memory(const GradientOperator& gradient);
  Refreshed take_all(const GradientOperator& gradient, const SingularVectors& found,
                     const RandomStream& random);
  void take(StoredBasis& stored, const Known& known, const RandomStream& random);
  at::Tensor completed(const Known& known, const RandomStream& random);
  void take_random(const RandomStream& random);
  at::Tensor random_orthonormal(int64_t rows, const RandomStream& random);
  int64_t chosen_rank(const GradientOperator& gradient, const at::Tensor& directions);
  void set_rank(int64_t rank);
  int64_t completion_bytes() const;

  BasisFinder finder_;
  SubspaceOptions options_;
  int64_t m_, n_, max_rank_;
  Workspace& workspace_;
  std::unique_ptr<StoredBasis> left_, right_;  // [m, r] and [n, r]; null for a side without basis
  std::optional<RankChoice> choice_;
};

}  // namespace galore
