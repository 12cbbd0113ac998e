#include "optim/methods/ldadam.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "optim/update_rules/adamw.h"

namespace galore {
namespace {

// Square weights count as wide.
bool projects_left(const std::string& proj_type, const MethodInputs& inputs) {
  if (proj_type == "left" || proj_type == "right") return proj_type == "left";
  return (inputs.rows() <= inputs.columns()) == (proj_type == "std");
}

class LdAdam : public Method {
 public:
  LdAdam(const LdAdamOptions& options, const MethodInputs& inputs)
      : rho_(options.rho),
        beta1_(options_of<AdamWOptions>(*inputs.settings.rule).beta1),
        left_(projects_left(options.proj_type, inputs)),
        workspace_(inputs.workspace),
        subspace_({.rank = options.rank,
                   .proj_type = left_ ? "left" : "right",
                   .subspace = "svd",
                   .moment_transport = true},
                  inputs.rows(), inputs.columns(), inputs.workspace),
        rule_(inputs.rule(subspace_.low_rank_shape())),
        error_(inputs.workspace.ledger().zeros(Owner::moments, inputs.weight.shape, at::kFloat)) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    error_.add_(gradient);  // holds a until the new error replaces it
    const at::Tensor low_rank = project(context);
    add_to_error(low_rank, -1);
    return subspace_.lift(rule_->direction(low_rank, context.step), 1);
  }

  void visit(StateVisitor& visitor) override {
    subspace_.visit(visitor);
    rule_->visit(visitor);
    visitor.tensor("error", error_);
  }

 private:
  // Returns a full or low-rank tensor in the orientation in which the left side is projected.
  at::Tensor seen(const at::Tensor& x) const { return left_ ? x : x.t(); }
  at::Tensor buffer(const char* name, int64_t rows, int64_t columns) {
    return workspace_.get(Owner::workspace, name, {rows, columns}, at::kFloat);
  }
  // Returns R in the next basis.
  at::Tensor project(const StepContext& context) {
    if (!subspace_.established()) {
      const std::string notice = subspace_.refresh(error_, context.random);
      context.note(notice);
      if (!error_.is_meta()) return subspace_.project(error_);  // a memory plan counts both kinds of updates
    }
    const at::Tensor next = next_basis(context.step - 1);
    if (!next.defined()) return subspace_.project(error_);
    const at::Tensor low_rank =
        workspace_.get(Owner::workspace, "optimizer.low_rank", subspace_.low_rank_shape(), at::kFloat);
    matrix_product(seen(low_rank), next.t(), seen(error_), Write::replace);
    move(next, context.step - 1);
    return low_rank;
  }

  // Returns orth(b (b^T P)) in a buffer, or an undefined tensor when it is zero.
  at::Tensor next_basis(int64_t steps) {
    const at::Tensor a = seen(error_), m = seen(rule_->average()), old = subspace_.basis();
    const double of_moment = rho_ / (1 - std::pow(beta1_, static_cast<double>(steps)));
    const at::Tensor along = buffer("ldadam.along", a.size(1), old.size(1));  // b^T P
    const at::Tensor small = buffer("ldadam.small", old.size(1), old.size(1));
    const at::Tensor next = buffer("ldadam.basis", old.size(0), old.size(1));
    matrix_product(along, a.t(), old, Write::replace);
    along.mul_(1 - rho_).add_(m.t(), of_moment);
    matrix_product(next, a, along, Write::replace);
    matrix_product(small, m, along, Write::replace);
    next.mul_(1 - rho_);
    matrix_product(next, old, small.mul_(of_moment), Write::accumulate);
    if (!next.is_meta() && kernels::sum_squares(next) == 0) return {};
    orthonormalize(next, workspace_);
    return next;
  }

  // Replaces the basis. The error gains the part of the first moment that the rotation loses.
  void move(const at::Tensor& next, int64_t steps) {
    const double factor = beta1_ / (1 - beta1_);
    add_to_error(rule_->average(), factor);
    subspace_.replace(left_ ? Side::left : Side::right, next);
    rule_->transport(subspace_.rotation(), !left_, steps);
    add_to_error(rule_->average(), -factor);
  }

  // Computes error += factor back(low_rank).
  void add_to_error(const at::Tensor& low_rank, double factor) {
    at::Tensor scaled =
        workspace_.get(Owner::workspace, "optimizer.low_rank_copy", low_rank.sizes(), at::kFloat);
    at::mul_out(scaled, low_rank, at::scalar_tensor(factor, low_rank.options()));
    const Direction inside = subspace_.lift(scaled, 1);
    matrix_product(error_, inside.left, inside.right, Write::accumulate);
  }

  double rho_, beta1_;
  bool left_;
  Workspace& workspace_;
  Subspace subspace_;
  std::unique_ptr<UpdateRule> rule_;
  at::Tensor error_;
};

}  // namespace

void declare_options(OptionTable& table, LdAdamOptions& options) {
  table.add("rank", &options.rank, "dimension of the subspace").range(1, 1e9).origin("the authors' code");
  table.add("rho", &options.rho, "share of the first moment in the matrix that gives the next basis")
      .range(0, 1)
      .origin("the authors' code");
  table.add("proj_type", &options.proj_type, "which side of the gradient is projected")
      .choices({"std", "reverse_std", "left", "right"})
      .origin("the authors' code");
}

std::unique_ptr<Method> make_ldadam(const LdAdamOptions& options, const MethodInputs& inputs) {
  return std::make_unique<LdAdam>(options, inputs);
}

std::unique_ptr<MethodKind> ldadam_kind(const LdAdamOptions& options) {
  return method_kind("ldadam", {}, make_ldadam, options);
}

}  // namespace galore
