#include "optim/subspaces/stored_basis.h"

#include <cmath>
#include <string_view>

#include "core/dtypes.h"
#include "core/errors.h"
#include "kernels/group_quantize.h"
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

class CodedBasis : public StoredBasis {
 public:
  CodedBasis(const GroupFormat& format, const BasisShape& shape, Workspace& workspace)
      : shape_(shape),
        workspace_(workspace),
        transposed_(std::string_view(shape.side) == "right"),
        codes_(zero_group_codes(format, buffer().sizes(), Owner::bases, workspace.ledger())) {}

  at::Tensor read() override {
    const at::Tensor values = buffer();
    kernels::decode_groups(codes_, values);
    return in_columns(values);
  }
  void write(const at::Tensor& basis) override {
    const at::Tensor values = buffer();
    in_columns(values).copy_(basis);
    kernels::encode_groups(values, codes_, nullptr);
  }
  void visit(const std::string& name, StateVisitor& visitor) override {
    visitor.tensor(name + ".codes", codes_.codes);
    visitor.tensor(name + ".scales", codes_.scales);
    visitor.tensor(name + ".zeros", codes_.zeros);
  }

 private:
  // In the order of the codes.
  at::Tensor buffer() const {
    const at::Tensor values = buffer_of(shape_, workspace_);
    return transposed_ ? values.view({shape_.rank, shape_.rows}) : values;
  }
  at::Tensor in_columns(const at::Tensor& values) const { return transposed_ ? values.t() : values; }

  BasisShape shape_;
  Workspace& workspace_;
  bool transposed_;
  GroupCodes codes_;
};

}  // namespace

int64_t code_bits(const BasisFormat& format) {
  return format.dtype == "int8" ? 8 : format.dtype == "int4" ? 4 : 0;
}

std::unique_ptr<StoredBasis> make_stored_basis(const BasisFormat& format, const BasisShape& shape,
                                               Workspace& workspace) {
  if (const int64_t bits = code_bits(format); bits > 0)
    return std::make_unique<CodedBasis>(GroupFormat{bits, format.group_size}, shape, workspace);
  return std::make_unique<TensorBasis>(dtype_from_name(format.dtype), shape, workspace);
}

int64_t basis_bytes(const BasisFormat& format, int64_t count) {
  if (const int64_t bits = code_bits(format); bits > 0)
    return group_code_bytes({bits, format.group_size}, count);
  return static_cast<int64_t>(c10::elementSize(dtype_from_name(format.dtype))) * count;
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
