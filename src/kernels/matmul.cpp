#include "kernels/matmul.h"

#include <ATen/ATen.h>

#include "core/errors.h"
#include "kernels/convert.h"
#include "kernels/cpu_features.h"

// Exported by libtorch_cpu but in none of its installed headers. Weak: where a libtorch does not have it, the
// address is null and MKL is used.
namespace at::native {
__attribute__((weak)) void mkldnn_matmul(const at::Tensor& left, const at::Tensor& right,
                                         const at::Tensor& result, float beta, float alpha);
}

namespace galore {
namespace {

// Below this many multiplications, setting up a oneDNN primitive costs more than it saves.
constexpr int64_t kSmallestOnednnProduct = int64_t{1} << 20;

bool use_onednn(const at::Tensor& out, const at::Tensor& left) {
  static const bool preferred = &at::native::mkldnn_matmul != nullptr && prefers_onednn_fp32();
  return preferred && out.is_cpu() && out.scalar_type() == at::kFloat && out.size(0) > 1 && out.size(1) > 1 &&
         out.numel() * left.size(1) >= kSmallestOnednnProduct;
}

}  // namespace

void matrix_product(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right, Write write) {
  GALORE_ASSERT(left.size(1) == right.size(0) && out.size(0) == left.size(0) && out.size(1) == right.size(1));
  GALORE_ASSERT(out.scalar_type() == left.scalar_type() && out.scalar_type() == right.scalar_type());
  if (out.is_meta() || out.numel() == 0) return;
  if (use_onednn(out, left)) {
    at::native::mkldnn_matmul(left, right, out, write == Write::accumulate ? 1.0f : 0.0f, 1.0f);
    return;
  }
  at::Tensor result = out;
  if (write == Write::accumulate) {
    at::addmm_out(result, out, left, right);
  } else {
    at::mm_out(result, left, right);
  }
}

void multiply_by_transpose(const at::Tensor& out, const at::Tensor& x, const at::Tensor& weight, Write write,
                           Workspace& workspace) {
  const at::Tensor same = converted(weight, x.scalar_type(), workspace, "matmul.weight");
  matrix_product(out, x, same.t(), write);
}

void multiply(const at::Tensor& out, const at::Tensor& gradient, const at::Tensor& weight, Write write,
              Workspace& workspace) {
  const at::Tensor same = converted(weight, gradient.scalar_type(), workspace, "matmul.weight");
  matrix_product(out, gradient, same, write);
}

void transpose_multiply(const at::Tensor& out, const at::Tensor& gradient, const at::Tensor& x, Write write) {
  matrix_product(out, gradient.t(), x, write);
}

}  // namespace galore
