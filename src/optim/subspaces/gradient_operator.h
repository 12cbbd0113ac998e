// A gradient as far as the search for a basis needs it: by its products with thin matrices.
//
// A linear layer's gradient G = dY^T X need not be formed for that: G V = dY^T (X V) and G^T Q = X^T (dY Q)
// cost 2 T c (m + n) operations each instead of 2 T m n once, and no m x n buffer. Legend: T tokens, m
// outputs, n inputs, c columns.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <optional>

#include "core/memory.h"

namespace galore {

// The workspace buffer of gradients that need not outlive the next weight's.
inline constexpr const char* kSharedGradient = "optimizer.gradient";

class GradientOperator {
 public:
  virtual ~GradientOperator() = default;
  virtual int64_t rows() const = 0;
  virtual int64_t columns() const = 0;
  // No more than this many directions are there to be found.
  virtual int64_t rank_bound() const { return std::min(rows(), columns()); }
  // out (m x c, fp32) = G v, v: n x c, fp32.
  virtual void times(const at::Tensor& out, const at::Tensor& v) const = 0;
  // out (n x c, fp32) = G^T q, q: m x c, fp32.
  virtual void transpose_times(const at::Tensor& out, const at::Tensor& q) const = 0;
  // T where the gradient would have to be formed, 0 where it exists.
  virtual int64_t tokens() const { return 0; }
  // m x n, fp32; formed, where it does not exist, in a buffer that the next operator shares.
  virtual at::Tensor dense() const = 0;
  virtual double squared_norm() const = 0;  // 0 on the meta device
  // The same where no product need be formed for it.
  virtual std::optional<double> known_squared_norm() const = 0;
  // False when it has turned out that elements or their squares are not finite in fp32.
  virtual bool usable() const = 0;
  virtual bool is_meta() const = 0;
};

// One that exists: m x n, fp32.
class DenseGradient : public GradientOperator {
 public:
  explicit DenseGradient(at::Tensor gradient) : gradient_(std::move(gradient)) {}
  int64_t rows() const override { return gradient_.size(0); }
  int64_t columns() const override { return gradient_.size(1); }
  void times(const at::Tensor& out, const at::Tensor& v) const override;
  void transpose_times(const at::Tensor& out, const at::Tensor& q) const override;
  at::Tensor dense() const override { return gradient_; }
  double squared_norm() const override;
  std::optional<double> known_squared_norm() const override { return squared_norm(); }
  bool usable() const override;
  bool is_meta() const override { return gradient_.is_meta(); }

 private:
  at::Tensor gradient_;
  mutable std::optional<bool> usable_;  // a search asks after every product; elements are read once
};

// x v (T x c), in x's dtype, in a workspace buffer.
at::Tensor reduced_input(const at::Tensor& x, const at::Tensor& v, Workspace& workspace);

// output_gradient^T input, T x m and T x n, both fp32 or both bf16; products are in their dtype.
class OuterProduct : public GradientOperator {
 public:
  OuterProduct(at::Tensor output_gradient, at::Tensor input, Workspace& workspace)
      : output_gradient_(std::move(output_gradient)), input_(std::move(input)), workspace_(workspace) {}
  int64_t rows() const override { return output_gradient_.size(1); }
  int64_t columns() const override { return input_.size(1); }
  int64_t rank_bound() const override { return std::min({rows(), columns(), input_.size(0)}); }
  int64_t tokens() const override { return input_.size(0); }
  void times(const at::Tensor& out, const at::Tensor& v) const override;
  void transpose_times(const at::Tensor& out, const at::Tensor& q) const override;
  at::Tensor dense() const override;
  bool usable() const override { return usable_; }
  bool is_meta() const override { return input_.is_meta(); }

  // sum((dY dY^T) * (X X^T)), two T x T products where T (m + n) < m n, else by dense().
  double squared_norm() const override;
  // Once that or dense() has been asked for.
  std::optional<double> known_squared_norm() const override { return squared_norm_; }

  // dY q (T x c) and X v (T x c), in their dtype, in workspace buffers.
  at::Tensor reduced_output(const at::Tensor& q) const;
  at::Tensor reduced_input(const at::Tensor& v) const { return galore::reduced_input(input_, v, workspace_); }

 private:
  at::Tensor tokens_gram(const at::Tensor& x, const char* name) const;
  // Returns the squared norm of what it forms.
  double product(const at::Tensor& out, const at::Tensor& left_transposed, const at::Tensor& right) const;

  at::Tensor output_gradient_, input_;
  Workspace& workspace_;
  mutable bool usable_ = true;
  mutable std::optional<double> squared_norm_;
};

// out (fp32) = or += left_transposed^T right; narrower operands are multiplied in their own dtype first.
void outer_product(const at::Tensor& out, const at::Tensor& left_transposed, const at::Tensor& right,
                   bool accumulate, Workspace& workspace);

}  // namespace galore
