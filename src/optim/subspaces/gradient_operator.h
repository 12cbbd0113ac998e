// The gradient as the search for a basis needs it: through its products with thin matrices.
//
// A linear layer's gradient G = dY^T X need not be formed for them. G V = dY^T (X V) and G^T Q = X^T (dY Q)
// cost 2 T c (m + n) operations each instead of 2 T m n once, and no m x n buffer. Legend: T tokens, m
// outputs, n inputs, c columns.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <optional>

#include "core/memory.h"

namespace galore {

// The workspace buffer of gradients that are not needed after the next weight's gradient begins.
inline constexpr const char* kSharedGradient = "optimizer.gradient";

class GradientOperator {
 public:
  virtual ~GradientOperator() = default;
  virtual int64_t rows() const = 0;
  virtual int64_t columns() const = 0;
  // Returns an upper bound of the gradient's rank.
  virtual int64_t rank_bound() const { return std::min(rows(), columns()); }
  // Computes out = G v, with out m x c and v n x c, both fp32.
  virtual void times(const at::Tensor& out, const at::Tensor& v) const = 0;
  // Computes out = G^T q, with out n x c and q m x c, both fp32.
  virtual void transpose_times(const at::Tensor& out, const at::Tensor& q) const = 0;
  // Returns T when the gradient would have to be formed, and 0 when it exists.
  virtual int64_t tokens() const { return 0; }
  // Returns the gradient, m x n, fp32. If it does not exist, it is formed in a buffer that the next operator
  // shares.
  virtual at::Tensor dense() const = 0;
  virtual double squared_norm() const = 0;  // 0 on the meta device
  // Returns the squared norm if it is known without forming a product.
  virtual std::optional<double> known_squared_norm() const = 0;
  // Returns false when elements, or their squares, have turned out not to be finite in fp32.
  virtual bool usable() const = 0;
  virtual bool is_meta() const = 0;
};

// A gradient that exists: m x n, fp32.
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
  // a search asks after every product, but the elements are read only once
  mutable std::optional<bool> usable_;
};

// Returns x v (T x c) in x's dtype, in a workspace buffer.
at::Tensor reduced_input(const at::Tensor& x, const at::Tensor& v, Workspace& workspace);

// The gradient output_gradient^T input, of T x m and T x n tensors that are both fp32 or both bf16. Products
// are computed in their dtype.
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

  // Returns sum((dY dY^T) * (X X^T)), by two T x T products if T (m + n) < m n and by dense() otherwise.
  double squared_norm() const override;
  // Returns the squared norm once squared_norm() or dense() was called.
  std::optional<double> known_squared_norm() const override { return squared_norm_; }

  // Return dY q (T x c) and X v (T x c) in their dtype, in workspace buffers.
  at::Tensor reduced_output(const at::Tensor& q) const;
  at::Tensor reduced_input(const at::Tensor& v) const { return galore::reduced_input(input_, v, workspace_); }

 private:
  at::Tensor tokens_gram(const at::Tensor& x, const char* name) const;
  // Returns the squared norm of the product.
  double product(const at::Tensor& out, const at::Tensor& left_transposed, const at::Tensor& right) const;

  at::Tensor output_gradient_, input_;
  Workspace& workspace_;
  mutable bool usable_ = true;
  mutable std::optional<double> squared_norm_;
};

// Computes out (fp32) = or += left_transposed^T right. Operands in bf16 are multiplied in their own dtype
// first.
void outer_product(const at::Tensor& out, const at::Tensor& left_transposed, const at::Tensor& right,
                   bool accumulate, Workspace& workspace);

}  // namespace galore
