#include "optim/methods/mofasgd.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "kernels/matmul.h"
#include "kernels/serial_lapack.h"
#include "optim/methods/pair_factors.h"
#include "optim/subspaces/svd.h"

namespace galore {
namespace {

class MofaSgd : public Method {
 public:
  MofaSgd(const MofaSgdOptions& options, const MethodInputs& inputs)
      : options_(options),
        rank_(std::min({options.rank, inputs.rows(), inputs.columns()})),
        noise_(rounding_noise(inputs.rows(), inputs.columns())),
        workspace_(inputs.workspace) {
    Ledger& ledger = inputs.workspace.ledger();
    left_ = ledger.zeros(Owner::moments, {inputs.rows(), rank_}, at::kFloat);
    right_ = ledger.zeros(Owner::moments, {inputs.columns(), rank_}, at::kFloat);
    values_ = ledger.zeros(Owner::moments, {rank_}, at::kFloat);
  }

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    const bool is_meta = gradient.is_meta(), has_started = !is_meta && values_[0].item<float>() > 0;
    std::string notice;
    if (!has_started) notice = start(gradient, context.random);
    if (has_started || is_meta) notice = follow(gradient);
    context.note(notice);
    return {.dense = {}, .left = determined(), .right = right_.t(), .scale = options_.scale};
  }

  void visit(StateVisitor& visitor) override {
    visitor.tensor("left", left_);
    visitor.tensor("values", values_);
    visitor.tensor("right", right_);
  }

 private:
  at::Tensor buffer(const std::string& name, int64_t rows, int64_t columns) {
    return workspace_.get(Owner::workspace, "mofasgd." + name, {rows, columns}, at::kFloat);
  }

  std::string start(const at::Tensor& gradient, const RandomStream& random) {
    const auto found =
        find_by_svd(DenseGradient(gradient), {Side::both, rank_, /*previous=*/{}, random, workspace_});
    if (!found) return "the decomposition of the gradient failed: the momentum stays zero";
    if (gradient.is_meta()) return "";
    left_.copy_(found->left);
    right_.copy_(found->right);
    values_.copy_(found->values);
    return "";
  }

  std::string follow(const at::Tensor& gradient) {
    const at::Tensor along_u = buffer("along_u", left_.size(0), rank_);
    const at::Tensor along_v = buffer("along_v", right_.size(0), rank_);
    const at::Tensor inner = buffer("inner", rank_, rank_);
    matrix_product(along_u, gradient, right_, Write::replace);
    matrix_product(along_v, gradient.t(), left_, Write::replace);
    matrix_product(inner, left_.t(), along_u, Write::replace);
    const PairFactors of_u = factors_of_pair("mofasgd.u", left_, along_u, workspace_),
                      of_v = factors_of_pair("mofasgd.v", right_, along_v, workspace_);
    if (gradient.is_meta()) return "";
    inner.neg_().diagonal().add_(values_, options_.momentum);
    try {
      const SerialLapack serial(2 * rank_);
      const auto [s_u, values, s_vh] =
          at::linalg_svd(core_of_sum(inner, of_u.r, of_v.r), /*full_matrices=*/false);
      values_.copy_(values.narrow(0, 0, rank_));
      matrix_product(left_, of_u.q, s_u.narrow(1, 0, rank_).to(at::kFloat), Write::replace);
      matrix_product(right_, of_v.q, s_vh.narrow(0, 0, rank_).t().to(at::kFloat), Write::replace);
    } catch (const c10::Error&) {
      return "a decomposition failed: the momentum stays as it is";
    }
    return "";
  }

  // Returns U without the vectors that only rounding errors determine.
  at::Tensor determined() {
    at::Tensor out = buffer("determined", left_.size(0), rank_);
    if (out.is_meta()) return out;
    return at::mul_out(out, left_, (values_ > values_.select(0, 0) * noise_).to(at::kFloat));
  }

  MofaSgdOptions options_;
  int64_t rank_;
  double noise_;
  Workspace& workspace_;
  at::Tensor left_, right_, values_;
};

}  // namespace

void declare_options(OptionTable& table, MofaSgdOptions& options) {
  table.add("rank", &options.rank, "rank of the momentum").range(1, 1e9).origin("paper, section 5");
  table.add("momentum", &options.momentum, "decay of the momentum").range(0, 1 - 1e-9).origin("paper");
  table.add("scale", &options.scale, "factor on the direction").range(0, 1e9);
}

std::unique_ptr<Method> make_mofasgd(const MofaSgdOptions& options, const MethodInputs& inputs) {
  return std::make_unique<MofaSgd>(options, inputs);
}

std::unique_ptr<MethodKind> mofasgd_kind(const MofaSgdOptions& options) {
  return method_kind("mofasgd", {}, make_mofasgd, options);
}

}  // namespace galore
