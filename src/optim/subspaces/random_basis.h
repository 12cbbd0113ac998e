// A basis that is not stored: independent normal numbers with the standard deviation 1/sqrt(rank), generated
// from the random stream of the last refresh whenever they are read. Its columns are not orthonormal.
#pragma once

#include <optional>
#include <string>

#include "optim/subspaces/basis.h"

namespace galore {

// One side of the basis.
class RegeneratedColumns {
 public:
  RegeneratedColumns(const BasisShape& shape, Workspace& workspace) : shape_(shape), workspace_(workspace) {}
  void renew(const RandomStream& stream);
  at::Tensor read();
  void visit(const std::string& name, StateVisitor& visitor);

 private:
  BasisShape shape_;
  Workspace& workspace_;
  int64_t key_ = 0, step_ = 0;
};

class RandomBasis : public Basis {
 public:
  explicit RandomBasis(const BasisInputs& inputs);
  // Needs no data of the gradient.
  Refreshed refresh(const GradientOperator& gradient, const RandomStream& random,
                    const at::Tensor& average) override;
  at::Tensor left() override { return left_->read(); }
  at::Tensor right() override { return right_->read(); }
  void visit(StateVisitor& visitor) override;

 private:
  std::optional<RegeneratedColumns> left_, right_;
};

}  // namespace galore
