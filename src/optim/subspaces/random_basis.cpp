#include "optim/subspaces/random_basis.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/random_normal.h"
#include "optim/subspaces/orthogonal.h"

namespace galore {

void RegeneratedColumns::renew(const RandomStream& stream) {
  key_ = static_cast<int64_t>(uint64_t{stream.key()[0]} | uint64_t{stream.key()[1]} << 32);
  step_ = static_cast<int64_t>(stream.step());
}

at::Tensor RegeneratedColumns::read() {
  const at::Tensor basis = basis_buffer(shape_, workspace_);
  const auto key = static_cast<uint64_t>(key_);
  const RandomStream stream({static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)},
                            static_cast<uint64_t>(step_));
  random_normal(basis, 1 / std::sqrt(static_cast<double>(shape_.rank)), stream);
  return basis;
}

void RegeneratedColumns::visit(const std::string& name, StateVisitor& visitor) {
  visitor.scalar(name + "_key", key_);
  visitor.scalar(name + "_step", step_);
}

RandomBasis::RandomBasis(const BasisInputs& inputs) : Basis(inputs) {
  if (side_ != Side::right) left_.emplace(BasisShape{inputs.m, rank_, "left"}, inputs.workspace);
  if (side_ != Side::left) right_.emplace(BasisShape{inputs.n, rank_, "right"}, inputs.workspace);
}

Basis::Refreshed RandomBasis::refresh(const GradientOperator&, const RandomStream& random,
                                      const at::Tensor&) {
  const bool rotates = transports_ && established();
  const at::Tensor old = rotates ? only_side().clone() : at::Tensor();
  rotation_.reset();
  if (left_) left_->renew(random);
  if (right_) right_->renew(left_ ? second_stream(random) : random);
  if (rotates) rotation_ = at::mm(old.t(), only_side());
  established_ = 1;
  return {};
}

void RandomBasis::visit(StateVisitor& visitor) {
  visitor.scalar("basis_established", established_);
  if (left_) left_->visit("basis_left", visitor);
  if (right_) right_->visit("basis_right", visitor);
}

}  // namespace galore
