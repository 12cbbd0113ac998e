#include "kernels/block_adam.h"

#include <ATen/ATen.h>

#include <bit>
#include <cmath>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore::kernels {
namespace {

cpu::BlockAdamTask block_task(at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  return {gradient.mutable_data_ptr<float>(), m.mutable_data_ptr<float>(), v.mutable_data_ptr<float>(),
          gradient.size(0), gradient.size(1)};
}

void check_block_adam(const BlockAdam& step, const at::Tensor& gradient, const at::Tensor& m,
                      const at::Tensor& v) {
  GALORE_ASSERT(step.block > 0 && std::has_single_bit(static_cast<uint64_t>(step.block)));
  GALORE_ASSERT(gradient.is_contiguous() && m.is_contiguous() && v.is_contiguous());
  GALORE_ASSERT(m.size(0) == gradient.size(0) && m.size(1) == num_blocks(gradient.size(1), step.block) &&
                v.sizes() == m.sizes());
}

template <auto kernel>
auto on_task(const BlockAdam& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  return kernel(step, block_task(gradient, m, v));
}

const Operation<decltype(folded_adam_direction)> kFoldedAdam("folded_adam_direction",
                                                             {.cpu = on_task<cpu::folded_adam_direction>,
                                                              .composed = composed::folded_adam_direction});
const Operation<decltype(haar_adam_direction)> kHaarAdam("haar_adam_direction",
                                                         {.cpu = on_task<cpu::haar_adam_direction>,
                                                          .composed = composed::haar_adam_direction});

}  // namespace

void folded_adam_direction(const BlockAdam& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  check_block_adam(step, gradient, m, v);
  kFoldedAdam(gradient, step, gradient, m, v);
}

double haar_adam_direction(const BlockAdam& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  check_block_adam(step, gradient, m, v);
  return kHaarAdam(gradient, step, gradient, m, v);
}

namespace composed {
namespace {

// Returns the means over blocks of a row; the last block is padded with zeros.
at::Tensor folded(const at::Tensor& x, int64_t block) {
  const int64_t padding = num_blocks(x.size(1), block) * block - x.size(1);
  return at::constant_pad_nd(x, {0, padding}).view({x.size(0), -1, block}).mean(2);
}

at::Tensor unfolded(const at::Tensor& x, int64_t block, int64_t columns) {
  return x.repeat_interleave(block, 1).narrow(1, 0, columns);
}

void average(at::Tensor& state, double beta, const at::Tensor& value) {
  state.mul_(beta).add_(value, 1 - beta);
}

}  // namespace

void folded_adam_direction(const BlockAdam& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  const auto whole = [&](const at::Tensor& x) { return unfolded(x, step.block, gradient.size(1)); };
  const at::Tensor mean = folded(gradient, step.block), rest = step.residual * (gradient - whole(mean));
  average(m, step.adam.beta1, mean);
  average(v, step.adam.beta2, folded(gradient.square(), step.block));
  const at::Tensor root = (whole(v) + rest.square()).sqrt() + step.adam.epsilon;
  gradient.copy_((whole(m) + rest) / root * (step.scale * step.adam.correction));
}

double haar_adam_direction(const BlockAdam& step, at::Tensor& gradient, at::Tensor& m, at::Tensor& v) {
  const auto whole = [&](const at::Tensor& x) { return unfolded(x, step.block, gradient.size(1)); };
  const double root = std::sqrt(static_cast<double>(step.block));
  const at::Tensor mean = folded(gradient, step.block), approximation = mean * root;
  average(m, step.adam.beta1, approximation);
  average(v, step.adam.beta2, approximation.square());
  const at::Tensor numerator = whole(m / root) + gradient - whole(mean);
  const at::Tensor below = v.sqrt() + step.adam.epsilon;
  gradient.copy_(numerator / whole(below) * (step.scale * step.adam.correction));
  return (m / below).square().sum(at::kDouble).item<double>();
}

}  // namespace composed
}  // namespace galore::kernels
