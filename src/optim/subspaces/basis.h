// The basis of one weight's subspace: where it comes from and where it is kept.
//
//   searched      found by a BasisFinder and kept as numbers (searched_basis.h)
//   chosen        columns of a fixed matrix; their numbers are kept (dct_basis.h)
//   regenerated   made again from a random stream whenever it is read (random_basis.h)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/memory.h"
#include "core/random.h"
#include "core/state_visitor.h"
#include "optim/subspaces/gradient_operator.h"
#include "optim/subspaces/subspace_options.h"

namespace galore {

class SearchedBasis;

// What a basis is made for.
struct BasisInputs {
  const SubspaceOptions& options;
  int64_t m, n, rank;  // of the gradient; rank <= min(m, n)
  Side side;
  Workspace& workspace;
};

class Basis {
 public:
  explicit Basis(const BasisInputs& inputs)
      : side_(inputs.side),
        transports_(inputs.options.moment_transport && inputs.side != Side::both),
        rank_(inputs.rank) {}
  virtual ~Basis() = default;

  struct Refreshed {
    std::string notice;       // why the old basis is kept, whole or in part; empty when all went well
    at::Tensor leading = {};  // the first vector of a search that determined one, until the next search
  };
  // Takes a new basis from `gradient`. What the gradient does not determine (it is zero, not finite, or of
  // lower rank) keeps the old basis. `average` is as in BasisRequest.
  virtual Refreshed refresh(const GradientOperator& gradient, const RandomStream& random,
                            const at::Tensor& average) = 0;
  // [m, r] and [n, r] in fp32: the stored tensor, or a workspace buffer that the next basis of this side
  // reuses. Only of sides that the basis has.
  virtual at::Tensor left() = 0;
  virtual at::Tensor right() = 0;
  virtual void visit(StateVisitor& visitor) = 0;
  // This basis, if it is a searched one: only these can be moved and choose their rank.
  virtual SearchedBasis* searched() { return nullptr; }

  int64_t rank() const { return rank_; }
  // Whether a refresh has determined at least one direction.
  bool established() const { return established_ != 0; }
  // As Subspace::rotation().
  const at::Tensor& rotation() const { return rotation_; }

 protected:
  at::Tensor only_side() { return side_ == Side::left ? left() : right(); }

  const Side side_;
  const bool transports_;  // rotation() is wanted
  int64_t rank_;
  int64_t established_ = 0;
  at::Tensor rotation_;
};

}  // namespace galore
