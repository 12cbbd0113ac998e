#include "optim/subspaces/summed_operator.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "kernels/apply_direction.h"

namespace galore {

SummedOperator::SummedOperator(const GradientOperator& own, Collective& collective, Workspace& workspace)
    : own_(own), collective_(collective), tokens_(own.tokens()) {
  if (own.is_meta()) return;
  const at::Tensor count = at::full({1}, tokens_, at::kLong).to(workspace.ledger().device());
  collective.sum(count);
  tokens_ = count.item<int64_t>();
}

int64_t SummedOperator::rank_bound() const {
  const int64_t shorter = std::min(rows(), columns());
  return tokens_ > 0 ? std::min(shorter, tokens_) : shorter;
}

double SummedOperator::sum(const at::Tensor& product) const {
  if (!product.is_meta()) collective_.sum(product);
  const double squares = kernels::sum_squares(product);
  usable_ = usable_ && std::isfinite(static_cast<float>(squares));
  return squares;
}

void SummedOperator::times(const at::Tensor& out, const at::Tensor& v) const {
  own_.times(out, v);
  sum(out);
}

void SummedOperator::transpose_times(const at::Tensor& out, const at::Tensor& q) const {
  own_.transpose_times(out, q);
  sum(out);
}

at::Tensor SummedOperator::dense() const {
  const at::Tensor out = own_.dense();
  squared_norm_ = sum(out);
  return out;
}

double SummedOperator::squared_norm() const {
  if (!squared_norm_) dense();
  return *squared_norm_;
}

}  // namespace galore
