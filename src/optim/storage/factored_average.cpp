#include "optim/storage/factored_average.h"

#include <ATen/ATen.h>

#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "kernels/serial_lapack.h"
#include "optim/subspaces/svd.h"

namespace galore {

FactoredAverage::FactoredAverage(int64_t m, int64_t n, int64_t rank, double rate, Workspace& workspace)
    : rank_(rank), rate_(rate), workspace_(workspace) {
  left_ = workspace.ledger().zeros(Owner::moments, {m, rank}, at::kFloat);
  right_ = workspace.ledger().zeros(Owner::moments, {rank, n}, at::kFloat);
}

bool FactoredAverage::start(const at::Tensor& x, double scale, const RandomStream& random) {
  const auto found = find_by_svd(DenseGradient(x), {Side::both, rank_, /*previous=*/{}, random, workspace_});
  if (x.is_meta()) return true;
  if (!found || found->values[0].item<float>() == 0) return false;
  const at::Tensor root = (found->values.narrow(0, 0, rank_) * scale).sqrt();
  at::mul_out(left_, found->left.narrow(1, 0, rank_), root);
  right_.copy_((found->right.narrow(1, 0, rank_) * root).t());
  return true;
}

void FactoredAverage::follow(const at::Tensor& x) {
  const at::Tensor of_left = buffer("lora_pre.left", left_.sizes()),
                   of_right = buffer("lora_pre.right", right_.sizes());
  const at::Tensor right_columns = buffer("lora_pre.columns", {right_.size(1), rank_});
  right_columns.copy_(right_.t());
  matrix_product(of_left, x, right_.t(), Write::replace);
  matrix_product(of_right, left_.t(), x, Write::replace);
  const at::Tensor to_left = solved(right_columns, of_left.t()), to_right = solved(left_, of_right);
  if (x.is_meta()) return;
  left_.mul_(1 - rate_).add_(to_left.t(), rate_);
  right_.mul_(1 - rate_).add_(to_right, rate_);
}

void FactoredAverage::write_to(const at::Tensor& out) const {
  matrix_product(out, left_, right_, Write::replace);
}

void FactoredAverage::visit(PrefixVisitor visitor) {
  visitor.tensor("left", left_);
  visitor.tensor("right", right_);
}

at::Tensor FactoredAverage::buffer(const char* name, at::IntArrayRef sizes) {
  return workspace_.get(Owner::workspace, name, sizes, at::kFloat);
}

// Returns (thin^T thin + damping)^-1 x, computed in fp64 because the condition may reach 10^6.
at::Tensor FactoredAverage::solved(const at::Tensor& thin, const at::Tensor& x) {
  const at::Tensor gram = workspace_.get(Owner::workspace, "lora_pre.gram", {rank_, rank_}, at::kDouble);
  gram_matrix(gram, thin, workspace_);
  workspace_.ledger().note_transient(2 * 8 * (x.numel() + gram.numel()));
  if (x.is_meta()) return {};
  const double mean = gram.trace().item<double>() / static_cast<double>(rank_);
  if (mean == 0) return at::zeros_like(x);
  gram.diagonal().add_(1e-6 * mean);
  return at::mm(inverse_of(gram), x.to(at::kDouble)).to(at::kFloat);
}

// The condition of the matrix is at most 10^6, so a product with its inverse is as exact as solving, and
// faster.
at::Tensor FactoredAverage::inverse_of(const at::Tensor& gram) const {
  const SerialLapack serial(rank_);
  return at::cholesky_inverse(std::get<0>(at::linalg_cholesky_ex(gram)));
}

}  // namespace galore
