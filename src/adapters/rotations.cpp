#include "adapters/rotations.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernels/matmul.h"

namespace galore {
namespace {

at::Tensor above_diagonal(int64_t block_size) {
  const at::Tensor places = at::triu_indices(block_size, block_size, 1);
  return places[0] * block_size + places[1];
}

// Returns the values of Horner's scheme for sum_j c_j Q^j: H_j = c_j I + Q H_(j+1), with H_0 first.
std::vector<at::Tensor> horner(const at::Tensor& skew, int64_t terms) {
  const at::Tensor one = at::eye(skew.size(1), skew.options());
  std::vector<at::Tensor> values(static_cast<size_t>(terms) + 2);
  values.back() = one.expand_as(skew);
  for (int64_t j = terms; j >= 0; --j) {
    const auto i = static_cast<size_t>(j);
    values[i] = at::bmm(skew, values[i + 1]).add_(one, j == 0 ? 1 : 2);
  }
  return values;
}

// Calls use(block, first column) for each block.
template <typename Use>
void each_block(int64_t blocks, int64_t block_size, const Use& use) {
  for (int64_t i = 0; i < blocks; ++i) use(i, i * block_size);
}

}  // namespace

int64_t block_size_of(int64_t size, int64_t most) {
  int64_t found = std::min(size, most);
  while (size % found != 0) --found;
  return found;
}

at::Tensor skew_symmetric(const at::Tensor& elements, int64_t block_size) {
  const at::Tensor upper =
      at::zeros({elements.size(0), block_size * block_size}, elements.options().dtype(at::kFloat));
  upper.index_copy_(1, above_diagonal(block_size), elements.to(at::kFloat));
  const at::Tensor square = upper.view({-1, block_size, block_size});
  return square - square.transpose(1, 2);
}

at::Tensor rotations(const at::Tensor& skew, int64_t terms) { return horner(skew, terms).front(); }

at::Tensor gradient_by_elements(const at::Tensor& skew, const at::Tensor& of_rotations, int64_t terms) {
  const std::vector<at::Tensor> values = horner(skew, terms);
  const at::Tensor turned = skew.transpose(1, 2), sum = at::zeros_like(skew);
  at::Tensor of_value = of_rotations;
  for (size_t j = 0; j + 1 < values.size(); ++j) {
    sum.baddbmm_(of_value, values[j + 1].transpose(1, 2));
    of_value = at::bmm(turned, of_value);
  }
  const at::Tensor difference = sum - sum.transpose(1, 2);
  return difference.reshape({skew.size(0), -1}).index_select(1, above_diagonal(skew.size(1)));
}

at::Tensor random_order(int64_t size, RandomStream stream) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[stream.below(i)]);
  return at::tensor(order, at::kLong);
}

void turn_rows(const at::Tensor& out, const at::Tensor& rows, const at::Tensor& blocks,
               const at::Tensor& order, bool back, const TurnBuffers& buffers, bool accumulate) {
  if (rows.is_meta()) return;
  at::Tensor ordered = buffers.ordered;
  at::index_select_out(ordered, rows, 1, order);
  const int64_t size = blocks.size(1);
  each_block(blocks.size(0), size, [&](int64_t i, int64_t first) {
    matrix_product(buffers.turned.narrow(1, first, size), ordered.narrow(1, first, size),
                   back ? blocks[i] : blocks[i].t(), Write::replace);
  });
  accumulate ? out.index_add_(1, order, buffers.turned) : out.index_copy_(1, order, buffers.turned);
}

at::Tensor turned_rows(const at::Tensor& rows, const at::Tensor& blocks, const at::Tensor& order, bool back) {
  const at::Tensor out = at::empty_like(rows, at::MemoryFormat::Contiguous), ordered = at::empty_like(out),
                   turned = at::empty_like(out);
  turn_rows(out, rows, blocks, order, back, {ordered, turned});
  return out;
}

at::Tensor gradient_by_blocks(const at::Tensor& of_output, const at::Tensor& rows, int64_t block_size,
                              const at::Tensor& order, const TurnBuffers& buffers) {
  at::Tensor left = buffers.ordered, right = buffers.turned;
  at::index_select_out(left, of_output, 1, order);
  at::index_select_out(right, rows, 1, order);
  const int64_t blocks = rows.size(1) / block_size;
  const at::Tensor gradient = at::empty({blocks, block_size, block_size}, rows.options());
  each_block(blocks, block_size, [&](int64_t i, int64_t first) {
    matrix_product(gradient[i], left.narrow(1, first, block_size).t(), right.narrow(1, first, block_size),
                   Write::replace);
  });
  return gradient.to(at::kFloat);
}

}  // namespace galore
