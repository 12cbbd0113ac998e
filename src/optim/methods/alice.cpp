#include "optim/methods/alice.h"

#include "kernels/linear_combination.h"
#include "kernels/matmul.h"
#include "optim/methods/alice_complement.h"
#include "optim/subspaces/tracked_eigenbasis.h"
#include "optim/update_rules/adam_step.h"

namespace galore {
namespace {

class Alice : public Method {
 public:
  Alice(const AliceOptions& options, const MethodInputs& inputs)
      : options_(options),
        adam_(options_of<AdamWOptions>(*inputs.settings.rule)),
        workspace_(inputs.workspace),
        subspace_({.rank = options.rank,
                   .update_proj_gap = options.update_proj_gap,
                   .subspace = "svd",
                   .refresh = "together"},
                  inputs.rows(), inputs.columns(), inputs.workspace),
        outside_(subspace_, inputs, {adam_.beta1, adam_.epsilon, options.limiter}) {
    const int64_t rank = subspace_.rank();
    moment1_ = inputs.moment(subspace_.low_rank_shape(), /*is_signed=*/true);
    moment2_ = inputs.moment(subspace_.low_rank_shape(), /*is_signed=*/false);
    tracked_ = workspace_.ledger().zeros(Owner::moments, {rank, rank}, at::kFloat);
  }

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    if (context.refresh_due) {
      const std::string notice = refresh(DenseGradient(gradient), context.random, context.step - 1);
      context.note(notice);
    }
    const at::Tensor low_rank = subspace_.project(gradient, context.refresh_due);
    track(low_rank);
    const at::Tensor adapted = adapt(low_rank);
    outside_.scale(gradient, low_rank, options_.scale * options_.complement_scale);
    // The direction is U W + C = U (W - S k) + G k.
    kernels::combine(adapted, adapted, low_rank, {static_cast<float>(options_.scale), -1});
    Direction direction = subspace_.lift(adapted, 1);
    direction.dense = gradient;
    return direction;
  }

  std::string refresh(const GradientOperator& gradient, const RandomStream& random, int64_t) override {
    if (!subspace_.established()) {
      const std::string notice = subspace_.refresh(gradient, random);
      take(subspace_.basis().clone(), random);
      // on the meta device, also allocates the buffers of later refreshes
      if (gradient.is_meta()) find(gradient);
      return notice;
    }
    const at::Tensor found = find(gradient);
    if (!found.defined()) return "the gradient leads nowhere: keeps the old basis";
    take(found, random);
    return "";
  }

  Subspace* subspace() override { return &subspace_; }

  void visit(StateVisitor& visitor) override {
    subspace_.visit(visitor);
    moment1_->visit("moment1", visitor);
    moment2_->visit("moment2", visitor);
    visitor.tensor("tracked", tracked_);
    outside_.visit(visitor);
  }

 private:
  at::Tensor find(const GradientOperator& gradient) {
    return leading_eigenvectors(
        gradient, {subspace_.side(), subspace_.basis(), tracked_, options_.basis_beta, workspace_});
  }

  void take(const at::Tensor& basis, const RandomStream& random) {
    switch_directions(basis, options_.leading, random, workspace_);
    subspace_.replace(subspace_.side(), basis);
  }

  void track(const at::Tensor& low_rank) {
    const at::Tensor product =
        workspace_.get(Owner::workspace, "alice.product", tracked_.sizes(), at::kFloat);
    const at::Tensor s = subspace_.side() == Side::left ? low_rank : low_rank.t();
    matrix_product(product, s, s.t(), Write::replace);
    tracked_.mul_(options_.basis_beta).add_(product, 1 - options_.basis_beta);
  }

  // Returns W, in its own buffer.
  at::Tensor adapt(const at::Tensor& low_rank) {
    at::Tensor adapted =
        workspace_.get(Owner::workspace, "optimizer.low_rank_copy", low_rank.sizes(), at::kFloat);
    adapted.copy_(low_rank);
    at::Tensor m = moment1_->read(), v = moment2_->read();
    kernels::adamw_direction({adam_.beta1, options_.alice_beta2, static_cast<float>(adam_.epsilon), 1},
                             adapted, m, v);
    moment1_->write(m);
    moment2_->write(v);
    return adapted;
  }

  AliceOptions options_;
  AdamWOptions adam_;
  Workspace& workspace_;
  Subspace subspace_;
  AliceComplement outside_;
  std::unique_ptr<Moment> moment1_, moment2_;
  at::Tensor tracked_;  // Q'
};

}  // namespace

void declare_options(OptionTable& table, AliceOptions& options) {
  const double largest = 1 - 1e-9;
  const char* const origin = "Alice, table 11";
  table.add("rank", &options.rank, "dimension of the subspace").range(1, 1e9).origin(origin);
  table.add("update_proj_gap", &options.update_proj_gap, "updates between refreshes of the basis")
      .range(1, 1e15)
      .origin(origin);
  table.add("leading", &options.leading, "directions that a refresh keeps; the others are drawn at random")
      .range(0, 1e9)
      .origin(origin);
  table.add("alice_beta2", &options.alice_beta2, "decay of the second moment inside the subspace")
      .range(0, largest)
      .origin(origin);
  table.add("basis_beta", &options.basis_beta, "decay of the average that gives the next basis")
      .range(0, largest)
      .origin(origin);
  table.add("scale", &options.scale, "alpha: factor on the direction").range(0, 1e9).origin(origin);
  table.add("complement_scale", &options.complement_scale, "factor on the part outside the subspace")
      .range(0, 1e9)
      .origin(origin);
  table.add("limiter", &options.limiter, "largest growth of the norm outside the subspace; 0: no limit")
      .range(0, 1e9)
      .origin("Alice, appendix F.2");
}

std::unique_ptr<Method> make_alice(const AliceOptions& options, const MethodInputs& inputs) {
  return std::make_unique<Alice>(options, inputs);
}

std::unique_ptr<MethodKind> alice_kind(const AliceOptions& options) {
  return method_kind("alice", {}, make_alice, options);
}

}  // namespace galore
