#include "optim/subspaces/stored_basis.h"

#include <ATen/ATen.h>

#include <string_view>

#include "core/dtypes.h"
#include "core/errors.h"
#include "kernels/group_quantize.h"

namespace galore {

at::Tensor basis_buffer(const BasisShape& shape, Workspace& workspace) {
  return workspace.get(Owner::workspace, std::string("optimizer.basis.") + shape.side,
                       {shape.rows, shape.rank}, at::kFloat);
}

namespace {

class TensorBasis : public StoredBasis {
 public:
  TensorBasis(at::ScalarType dtype, const BasisShape& shape, Workspace& workspace)
      : shape_(shape),
        workspace_(workspace),
        value_(workspace.ledger().zeros(Owner::bases, {shape.rows, shape.rank}, dtype)) {}
  at::Tensor read() override {
    return value_.scalar_type() == at::kFloat ? value_ : basis_buffer(shape_, workspace_).copy_(value_);
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
  // Returns the buffer in the order of the codes.
  at::Tensor buffer() const {
    const at::Tensor values = basis_buffer(shape_, workspace_);
    return transposed_ ? values.view({shape_.rank, shape_.rows}) : values;
  }
  at::Tensor in_columns(const at::Tensor& values) const { return transposed_ ? values.t() : values; }

  BasisShape shape_;
  Workspace& workspace_;
  bool transposed_;
  GroupQuantized codes_;
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

}  // namespace galore
