// The basis of one weight's subspace. The kinds of bases differ in their origin and storage:
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

// The inputs for making a basis.
struct BasisInputs {
  const SubspaceOptions& options;
  int64_t m, n, rank;  // sizes of the gradient; rank <= min(m, n)
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
    std::string notice;       // why the old basis is kept, fully or in part; empty on success
    at::Tensor leading = {};  // the first vector if a search determined one; valid until the next search
  };
  // Takes a new basis from `gradient`. Directions that the gradient does not determine (because it is zero,
  // not finite, or of lower rank) keep the old basis. `average` is described in BasisRequest.
  virtual Refreshed refresh(const GradientOperator& gradient, const RandomStream& random,
                            const at::Tensor& average) = 0;
  // left() is [m, r] and right() [n, r], in fp32: the stored tensor, or a workspace buffer that the next
  // basis of this side reuses. Call them only for sides that the basis has.
  virtual at::Tensor left() = 0;
  virtual at::Tensor right() = 0;
  virtual void visit(StateVisitor& visitor) = 0;
  // Returns this basis if it is a searched one, and null otherwise. Only searched bases can be moved and
  // choose their rank.
  virtual SearchedBasis* searched() { return nullptr; }

  int64_t rank() const { return rank_; }
  // Returns true when a refresh has determined at least one direction.
  bool established() const { return established_ != 0; }
  // Returns the tensor that Subspace::rotation() describes.
  const at::Tensor& rotation() const { return rotation_; }

 protected:
  at::Tensor only_side() { return side_ == Side::left ? left() : right(); }

  const Side side_;
  const bool transports_;  // rotation() is needed
  int64_t rank_;
  int64_t established_ = 0;
  at::Tensor rotation_;
};

}  // namespace galore
