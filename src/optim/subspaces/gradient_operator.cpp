#include "optim/subspaces/gradient_operator.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/matmul.h"
#include "kernels/weight_term.h"

namespace galore {

void outer_product(const at::Tensor& out, const at::Tensor& left_transposed, const at::Tensor& right,
                   bool accumulate, Workspace& workspace) {
  if (right.scalar_type() == at::kFloat)
    return matrix_product(out, left_transposed.t(), right, accumulate ? Write::accumulate : Write::replace);
  const at::Tensor product =
      workspace.get(Owner::workspace, "optimizer.product", out.sizes(), right.scalar_type());
  matrix_product(product, left_transposed.t(), right, Write::replace);
  accumulate ? out.add_(product) : out.copy_(product);
}

void DenseGradient::times(const at::Tensor& out, const at::Tensor& v) const {
  matrix_product(out, gradient_, v, Write::replace);
}

void DenseGradient::transpose_times(const at::Tensor& out, const at::Tensor& q) const {
  matrix_product(out, gradient_.t(), q, Write::replace);
}

double DenseGradient::squared_norm() const { return kernels::sum_squares(gradient_); }

bool DenseGradient::usable() const {
  if (!usable_) usable_ = is_meta() || gradient_.isfinite().all().item<bool>();
  return *usable_;
}

at::Tensor reduced_input(const at::Tensor& x, const at::Tensor& v, Workspace& workspace) {
  return thin_product(x, v, "optimizer.reduced_input", workspace);
}

at::Tensor OuterProduct::reduced_output(const at::Tensor& q) const {
  return thin_product(output_gradient_, q, "optimizer.reduced_output", workspace_);
}

double OuterProduct::product(const at::Tensor& out, const at::Tensor& left_transposed,
                             const at::Tensor& right) const {
  outer_product(out, left_transposed, right, /*accumulate=*/false, workspace_);
  const double squares = kernels::sum_squares(out);
  usable_ = usable_ && std::isfinite(static_cast<float>(squares));
  return squares;
}

void OuterProduct::times(const at::Tensor& out, const at::Tensor& v) const {
  product(out, output_gradient_, reduced_input(v));
}

void OuterProduct::transpose_times(const at::Tensor& out, const at::Tensor& q) const {
  product(out, input_, reduced_output(q));
}

at::Tensor OuterProduct::dense() const {
  const at::Tensor out = workspace_.get(Owner::gradients, kSharedGradient, {rows(), columns()}, at::kFloat);
  squared_norm_ = product(out, output_gradient_, input_);
  return out;
}

at::Tensor OuterProduct::tokens_gram(const at::Tensor& x, const char* name) const {
  const at::Tensor out = workspace_.get(Owner::workspace, name, {x.size(0), x.size(0)}, x.scalar_type());
  matrix_product(out, x, x.t(), Write::replace);
  return out;
}

double OuterProduct::squared_norm() const {
  if (input_.size(0) * (rows() + columns()) >= rows() * columns()) {
    dense();
    return *squared_norm_;
  }
  const at::Tensor outputs = tokens_gram(output_gradient_, "optimizer.output_gram");
  const at::Tensor inputs = tokens_gram(input_, "optimizer.input_gram");
  squared_norm_ = is_meta() ? 0 : at::sum(outputs.mul_(inputs), at::kDouble).item<double>();
  return *squared_norm_;
}

}  // namespace galore
