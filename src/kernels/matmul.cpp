#include "kernels/matmul.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "core/errors.h"
#include "kernels/convert.h"
#include "kernels/cpu_features.h"
#include "kernels/group_quantize.h"
#include "kernels/product_count.h"

// libtorch_cpu exports this function but declares it in none of its installed headers. It is weak: if a
// libtorch lacks it, the address is null and MKL is used.
namespace at::native {
__attribute__((weak)) void mkldnn_matmul(const at::Tensor& left, const at::Tensor& right,
                                         const at::Tensor& result, float beta, float alpha);
}

namespace galore {
namespace {

// With fewer multiplications, setting up a oneDNN primitive costs more than it saves.
constexpr int64_t kSmallestOnednnProduct = int64_t{1} << 20;

bool use_onednn(const at::Tensor& out, const at::Tensor& left) {
  static const bool preferred = &at::native::mkldnn_matmul != nullptr && prefers_onednn_fp32();
  return preferred && out.is_cpu() && out.scalar_type() == at::kFloat && out.size(0) > 1 && out.size(1) > 1 &&
         out.numel() * left.size(1) >= kSmallestOnednnProduct;
}

// oneDNN writes a result with contiguous columns by its reference code, which is some hundred times slower.
void multiply_by_onednn(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right, Write write) {
  if (out.stride(1) != 1 && out.stride(0) == 1)
    return multiply_by_onednn(out.t(), right.t(), left.t(), write);
  at::native::mkldnn_matmul(left, right, out, write == Write::accumulate ? 1.0f : 0.0f, 1.0f);
}

// For symmetric products: strips of fewer rows do not reach the full speed of products.
constexpr int64_t kSmallestStrip = 256, kMostStrips = 8;

// For a weight that is converted for a product: a part of this size stays in the cache together with the
// operands and is wide enough for products at full speed.
constexpr int64_t kPartBytes = int64_t{16} << 20;

at::Tensor part_of(const at::Tensor& weight, const kernels::Block& block, const at::Tensor& buffer) {
  convert(buffer, weight.narrow(0, block.first_row, block.rows));
  return buffer;
}

at::Tensor part_of(const GroupQuantized& weight, const kernels::Block& block, const at::Tensor& buffer) {
  kernels::decode_block(weight, block, buffer);
  return buffer;
}

// Calls product(part of the weight (rows x columns), its place) for the parts of the weight: whole rows or
// whole columns.
template <typename Weight, typename Product>
void by_parts(const Weight& weight, at::IntArrayRef sizes, at::ScalarType dtype, bool whole_rows,
              Workspace& workspace, const Product& product) {
  const int64_t along = sizes[whole_rows ? 0 : 1], across = sizes[whole_rows ? 1 : 0];
  const int64_t fit =
      kPartBytes / (static_cast<int64_t>(c10::elementSize(dtype)) * std::max<int64_t>(across, 1));
  const int64_t step = fit >= 16 ? fit / 16 * 16 : 16;
  for (int64_t first = 0; first < along; first += step) {
    const int64_t count = std::min(step, along - first);
    const kernels::Block block =
        whole_rows ? kernels::Block{first, count, 0, across} : kernels::Block{0, across, first, count};
    const at::Tensor buffer =
        workspace.get(Owner::workspace, "matmul.weight", {block.rows, block.columns}, dtype);
    product(part_of(weight, block, buffer), block);
  }
}

// Whole rows give whole columns of the result.
template <typename Weight>
void multiply_parts_by_transpose(const at::Tensor& out, const at::Tensor& x, const Weight& weight,
                                 Write write, Workspace& workspace) {
  const std::array<int64_t, 2> sizes{out.size(1), x.size(1)};
  by_parts(weight, sizes, x.scalar_type(), /*whole_rows=*/true, workspace,
           [&](const at::Tensor& part, const kernels::Block& block) {
             matrix_product(out.narrow(1, block.first_row, block.rows), x, part.t(), write);
           });
}

// Sums over parts are exact enough in fp32. In bf16 each sum would be rounded, so every part gives some
// columns of the result.
template <typename Weight>
void multiply_parts(const at::Tensor& out, const at::Tensor& gradient, const Weight& weight, Write write,
                    Workspace& workspace) {
  const std::array<int64_t, 2> sizes{gradient.size(1), out.size(1)};
  const bool sums = gradient.scalar_type() == at::kFloat;
  by_parts(weight, sizes, gradient.scalar_type(), sums, workspace,
           [&](const at::Tensor& part, const kernels::Block& block) {
             const bool adds = write == Write::accumulate || block.first_row > 0;
             matrix_product(out.narrow(1, block.first_column, block.columns),
                            gradient.narrow(1, block.first_row, block.rows), part,
                            adds ? Write::accumulate : Write::replace);
           });
}

}  // namespace

void matrix_product(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right, Write write) {
  GALORE_ASSERT(left.size(1) == right.size(0) && out.size(0) == left.size(0) && out.size(1) == right.size(1));
  GALORE_ASSERT(out.scalar_type() == left.scalar_type() && out.scalar_type() == right.scalar_type());
  if (out.is_meta()) ProductCount::note(out, left, right, write);
  if (out.is_meta() || out.numel() == 0) return;
  if (use_onednn(out, left)) return multiply_by_onednn(out, left, right, write);
  at::Tensor result = out;
  if (write == Write::accumulate) {
    at::addmm_out(result, out, left, right);
  } else {
    at::mm_out(result, left, right);
  }
}

void symmetric_product(const at::Tensor& out, const at::Tensor& x) {
  const int64_t side = x.size(0);
  // Strips of fp32 columns take longer than the whole product.
  if (x.stride(1) != 1 && x.scalar_type() == at::kFloat) return matrix_product(out, x, x.t(), Write::replace);
  const int64_t strip = std::max((side + kMostStrips - 1) / kMostStrips, kSmallestStrip);
  for (int64_t first = 0; first < side; first += strip) {
    const int64_t rows = std::min(strip, side - first), rest = side - first - rows;
    const at::Tensor part = out.narrow(0, first, rows);
    matrix_product(part.narrow(1, first, rows + rest), x.narrow(0, first, rows),
                   x.narrow(0, first, rows + rest).t(), Write::replace);
    if (rest > 0 && !out.is_meta())
      out.narrow(0, first + rows, rest).narrow(1, first, rows).copy_(part.narrow(1, first + rows, rest).t());
  }
}

void product_x_wt(const at::Tensor& out, const at::Tensor& x, const at::Tensor& weight, Write write,
                  Workspace& workspace) {
  if (weight.scalar_type() == x.scalar_type()) return matrix_product(out, x, weight.t(), write);
  multiply_parts_by_transpose(out, x, weight, write, workspace);
}

void product_x_wt(const at::Tensor& out, const at::Tensor& x, const GroupQuantized& weight, Write write,
                  Workspace& workspace) {
  multiply_parts_by_transpose(out, x, weight, write, workspace);
}

void product_x_w(const at::Tensor& out, const at::Tensor& gradient, const at::Tensor& weight, Write write,
                 Workspace& workspace) {
  if (weight.scalar_type() == gradient.scalar_type()) return matrix_product(out, gradient, weight, write);
  GALORE_ASSERT(gradient.scalar_type() == at::kFloat);
  multiply_parts(out, gradient, weight, write, workspace);
}

void product_x_w(const at::Tensor& out, const at::Tensor& gradient, const GroupQuantized& weight, Write write,
                 Workspace& workspace) {
  multiply_parts(out, gradient, weight, write, workspace);
}

void product_dyt_x(const at::Tensor& out, const at::Tensor& gradient, const at::Tensor& x, Write write) {
  matrix_product(out, gradient.t(), x, write);
}

}  // namespace galore
