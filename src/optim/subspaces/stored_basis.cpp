#include "optim/subspaces/stored_basis.h"

#include <cmath>

#include "core/dtypes.h"
#include "core/errors.h"
#include "kernels/random_normal.h"

namespace galore {
namespace {

at::Tensor buffer_of(const BasisShape& shape, Workspace& workspace) {
  return workspace.get(Owner::workspace, std::string("optimizer.basis.") + shape.side,
                       {shape.rows, shape.rank}, at::kFloat);
}

class TensorBasis : public StoredBasis {
 public:
  TensorBasis(at::ScalarType dtype, const BasisShape& shape, Workspace& workspace)
      : shape_(shape),
        workspace_(workspace),
        value_(workspace.ledger().zeros(Owner::bases, {shape.rows, shape.rank}, dtype)) {}
  at::Tensor read() override {
    return value_.scalar_type() == at::kFloat ? value_ : buffer_of(shape_, workspace_).copy_(value_);
  }
  void write(const at::Tensor& basis) override { value_.copy_(basis); }
  void visit(const std::string& name, StateVisitor& visitor) override { visitor.tensor(name, value_); }

 private:
  BasisShape shape_;
  Workspace& workspace_;
  at::Tensor value_;
};

}  // namespace

std::unique_ptr<StoredBasis> make_stored_basis(const std::string& dtype, const BasisShape& shape,
                                               Workspace& workspace) {
  return std::make_unique<TensorBasis>(dtype_from_name(dtype), shape, workspace);
}

void RegeneratedBasis::renew(const RandomStream& stream) {
  key_ = static_cast<int64_t>(uint64_t{stream.key()[0]} | uint64_t{stream.key()[1]} << 32);
  step_ = static_cast<int64_t>(stream.step());
}

at::Tensor RegeneratedBasis::read() {
  const at::Tensor basis = buffer_of(shape_, workspace_);
  const auto key = static_cast<uint64_t>(key_);
  const RandomStream stream({static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)},
                            static_cast<uint64_t>(step_));
  random_normal(basis, 1 / std::sqrt(static_cast<double>(shape_.rank)), stream);
  return basis;
}

void RegeneratedBasis::write(const at::Tensor&) {
  GALORE_ASSERT(!"a regenerated basis follows from its stream alone");
}

void RegeneratedBasis::visit(const std::string& name, StateVisitor& visitor) {
  visitor.scalar(name + "_key", key_);
  visitor.scalar(name + "_step", step_);
}

}  // namespace galore
