#include "kernels/convert.h"

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/op_table.h"

namespace galore {
namespace {

void copy_composed(const at::Tensor& out, const at::Tensor& in) { out.copy_(in); }

void convert_on_cpu(const at::Tensor& out, const at::Tensor& in) {
  if (!in.is_cpu() || !kernels::cpu::convert(out, in)) copy_composed(out, in);
}

const kernels::Operation<decltype(convert)> kConvert("convert",
                                                     {.cpu = convert_on_cpu, .composed = copy_composed});

}  // namespace

void convert(const at::Tensor& out, const at::Tensor& in) {
  GALORE_ASSERT(out.sizes() == in.sizes() && out.is_contiguous() && in.is_contiguous());
  kConvert(out, out, in);
}

at::Tensor converted(const at::Tensor& tensor, at::ScalarType dtype, Workspace& workspace,
                     const std::string& name) {
  if (tensor.scalar_type() == dtype) return tensor;
  const at::Tensor buffer = workspace.get(Owner::workspace, name, tensor.sizes(), dtype);
  tensor.is_contiguous() ? convert(buffer, tensor) : (void)buffer.copy_(tensor);
  return buffer;
}

}  // namespace galore
