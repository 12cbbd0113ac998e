#include "optim/methods/lora_pre.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "kernels/serial_lapack.h"
#include "optim/subspaces/svd.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

// left right, which follows an average of matrices.
class FactoredAverage {
 public:
  FactoredAverage(const MethodInputs& inputs, int64_t rank, double rate)
      : rank_(rank), rate_(rate), workspace_(inputs.workspace) {
    left_ = inputs.workspace.ledger().zeros(Owner::moments, {inputs.rows(), rank}, at::kFloat);
    right_ = inputs.workspace.ledger().zeros(Owner::moments, {rank, inputs.columns()}, at::kFloat);
  }

  // The best approximation of scale x. False where x is zero or the decomposition fails.
  bool start(const at::Tensor& x, double scale, const RandomStream& random) {
    const auto found =
        find_by_svd(DenseGradient(x), {Side::both, rank_, /*previous=*/{}, random, workspace_});
    if (x.is_meta()) return true;
    if (!found || found->values[0].item<float>() == 0) return false;
    const at::Tensor root = (found->values.narrow(0, 0, rank_) * scale).sqrt();
    at::mul_out(left_, found->left.narrow(1, 0, rank_), root);
    right_.copy_((found->right.narrow(1, 0, rank_) * root).t());
    return true;
  }

  void follow(const at::Tensor& x) {
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

  void write_to(const at::Tensor& out) const { matrix_product(out, left_, right_, Write::replace); }

  void visit(PrefixVisitor visitor) {
    visitor.tensor("left", left_);
    visitor.tensor("right", right_);
  }

 private:
  at::Tensor buffer(const char* name, at::IntArrayRef sizes) {
    return workspace_.get(Owner::workspace, name, sizes, at::kFloat);
  }

  // (thin^T thin + damping)^-1 x, in fp64: its condition may reach 10^6.
  at::Tensor solved(const at::Tensor& thin, const at::Tensor& x) {
    const at::Tensor gram = workspace_.get(Owner::workspace, "lora_pre.gram", {rank_, rank_}, at::kDouble);
    gram_matrix(gram, thin, workspace_);
    workspace_.ledger().note_transient(2 * 8 * (x.numel() + gram.numel()));
    if (x.is_meta()) return {};
    const double mean = gram.trace().item<double>() / static_cast<double>(rank_);
    if (mean == 0) return at::zeros_like(x);
    gram.diagonal().add_(1e-6 * mean);
    return at::mm(inverse_of(gram), x.to(at::kDouble)).to(at::kFloat);
  }

  // Of a matrix whose condition is 10^6 at most, so that a product with it is as exact as solving, and
  // faster.
  at::Tensor inverse_of(const at::Tensor& gram) const {
    const SerialLapack serial(rank_);
    return at::cholesky_inverse(std::get<0>(at::linalg_cholesky_ex(gram)));
  }

  int64_t rank_;
  double rate_;
  Workspace& workspace_;
  at::Tensor left_, right_;
};

class LoraPre : public Method {
 public:
  LoraPre(int64_t rank, const MethodInputs& inputs)
      : adam_(options_of<AdamWOptions>(*inputs.settings.rule)),
        workspace_(inputs.workspace),
        first_(inputs, rank, 1 - std::sqrt(adam_.beta1)),
        second_(inputs, rank, 1 - std::pow(adam_.beta2, 0.25)) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    const at::Tensor m = buffer("lora_pre.first", gradient);
    at::Tensor square = buffer("lora_pre.second", gradient).copy_(gradient);
    if (!gradient.is_meta()) square.abs_();
    const bool follows = started_ != 0 || gradient.is_meta();
    if (started_ == 0) start(gradient, square, context);
    if (follows) {
      first_.follow(gradient);
      second_.follow(square);
      first_.write_to(m);
      second_.write_to(square);
    } else {
      m.zero_();
      square.zero_();
    }
    return {.dense = combined(gradient, m, square, context.step), .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    visitor.scalar("started", started_);
    first_.visit({visitor, "moment1_"});
    second_.visit({visitor, "moment2_"});
  }

 private:
  at::Tensor buffer(const char* name, const at::Tensor& like) {
    return workspace_.get(Owner::workspace, name, like.sizes(), at::kFloat);
  }

  void start(const at::Tensor& gradient, const at::Tensor& size, const StepContext& context) {
    const bool done = first_.start(gradient, 1 - adam_.beta1, context.random) &&
                      second_.start(size, std::sqrt(1 - adam_.beta2), context.random);
    started_ = done ? 1 : 0;
    if (!done) context.note("the gradient is zero or its decomposition failed: the moments begin later");
  }

  // `m` and `square` hold B A and C D; the direction takes the place of m.
  at::Tensor combined(const at::Tensor& gradient, at::Tensor m, at::Tensor square, int64_t step) const {
    const auto t = static_cast<double>(step);
    m.mul_(adam_.beta1).add_(gradient, 1 - adam_.beta1);
    square.square_().mul_(adam_.beta2).addcmul_(gradient, gradient, 1 - adam_.beta2);
    square.sqrt_().div_(std::sqrt(1 - std::pow(adam_.beta2, t))).add_(adam_.epsilon);
    return m.div_(1 - std::pow(adam_.beta1, t)).div_(square);
  }

  AdamWOptions adam_;
  Workspace& workspace_;
  FactoredAverage first_, second_;
  int64_t started_ = 0;
};

}  // namespace

void declare_options(OptionTable& table, LoraPreOptions& options) {
  table.add("rank", &options.rank, "of the two moments").range(1, 1e9);
}

std::unique_ptr<Method> make_lora_pre(const LoraPreOptions& options, const MethodInputs& inputs) {
  return std::make_unique<LoraPre>(std::min({options.rank, inputs.rows(), inputs.columns()}), inputs);
}

std::unique_ptr<MethodKind> lora_pre_kind(const LoraPreOptions& options) {
  return method_kind("lora_pre", {}, make_lora_pre, options);
}

}  // namespace galore
