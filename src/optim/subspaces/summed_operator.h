// The gradient of a batch that several processes share: products with it are sums of the processes' thin
// products. No process ever holds the gradient of another one, and only dense() sends a full gradient.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "core/collective.h"
#include "core/memory.h"
#include "optim/subspaces/gradient_operator.h"

namespace galore {

class SummedOperator : public GradientOperator {
 public:
  // `own` is this process's gradient. All processes must construct an operator at the same time and ask for
  // the same products.
  SummedOperator(const GradientOperator& own, Collective& collective, Workspace& workspace);
  int64_t rows() const override { return own_.rows(); }
  int64_t columns() const override { return own_.columns(); }
  int64_t rank_bound() const override;
  // Returns the tokens of all processes, so that all processes decide alike.
  int64_t tokens() const override { return tokens_; }
  void times(const at::Tensor& out, const at::Tensor& v) const override;
  void transpose_times(const at::Tensor& out, const at::Tensor& q) const override;
  at::Tensor dense() const override;
  double squared_norm() const override;
  std::optional<double> known_squared_norm() const override { return squared_norm_; }
  bool usable() const override { return usable_; }
  bool is_meta() const override { return own_.is_meta(); }

 private:
  // Sums `product` over the processes and returns the squared norm of the sum.
  double sum(const at::Tensor& product) const;

  const GradientOperator& own_;
  Collective& collective_;
  int64_t tokens_;
  mutable bool usable_ = true;
  mutable std::optional<double> squared_norm_;
};

}  // namespace galore
