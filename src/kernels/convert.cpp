#include "kernels/convert.h"

#include "core/errors.h"
#include "kernels/cpu/elementwise.h"

namespace galore {

void convert(const at::Tensor& out, const at::Tensor& in) {
  GALORE_ASSERT(out.sizes() == in.sizes() && out.is_contiguous() && in.is_contiguous());
  if (out.is_meta()) return;
  if (out.is_cpu() && in.is_cpu() && kernels::cpu::convert(out, in)) return;
  out.copy_(in);
}

at::Tensor converted(const at::Tensor& tensor, at::ScalarType dtype, Workspace& workspace,
                     const std::string& name) {
  if (tensor.scalar_type() == dtype) return tensor;
  const at::Tensor buffer = workspace.get(Owner::workspace, name, tensor.sizes(), dtype);
  tensor.is_contiguous() ? convert(buffer, tensor) : (void)buffer.copy_(tensor);
  return buffer;
}

}  // namespace galore
