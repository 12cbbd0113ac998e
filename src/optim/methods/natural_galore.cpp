#include "optim/methods/natural_galore.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/errors.h"
#include "kernels/serial_lapack.h"
#include "optim/methods/subspace_method.h"

namespace galore {
namespace {

class NaturalGaLore : public SubspaceMethod {
 public:
  NaturalGaLore(const NaturalGaLoreOptions& options, std::unique_ptr<Subspace> subspace,
                const MethodInputs& inputs)
      : SubspaceMethod(std::move(subspace), inputs.rule(subspace->low_rank_shape())),
        options_(options),
        history_(inputs.workspace.ledger().zeros(
            Owner::moments, {options.history, c10::multiply_integers(subspace_->low_rank_shape())},
            at::kFloat)) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    return direction_of_low_rank(project(gradient, context), context);
  }

  Direction direction_of_low_rank(at::Tensor low_rank, const StepContext& context) override {
    const int64_t place = count_++ % options_.history;
    history_.select(0, place).copy_(low_rank.view({-1}));
    if (!low_rank.is_meta()) make_natural(low_rank, place);
    return subspace_->lift(rule_->direction(low_rank, context.step), options_.scale);
  }

  bool reads_low_rank() const override { return true; }

  void visit(StateVisitor& visitor) override {
    SubspaceMethod::visit(visitor);
    visitor.tensor("history", history_);
    visitor.scalar("gradients_seen", count_);
  }

 private:
  // Replaces R by R~. R is the row `place` of the history.
  void make_natural(at::Tensor low_rank, int64_t place) const {
    const at::Tensor known = history_.narrow(0, 0, std::min(count_, options_.history));
    at::Tensor fisher = known.mm(known.t()).to(at::kDouble);
    fisher.diagonal().add_(options_.damping);
    at::Tensor unit = at::zeros({known.size(0), 1}, fisher.options());
    unit[place].fill_(1);
    const SerialLapack serial(known.size(0));
    at::Tensor flat = low_rank.view({1, -1});
    at::mm_out(flat, at::linalg_solve(fisher, unit).t().to(at::kFloat), known);
  }

  NaturalGaLoreOptions options_;
  at::Tensor history_;  // each row holds a gradient; the oldest row is overwritten
  int64_t count_ = 0;
};

}  // namespace

void declare_options(OptionTable& table, NaturalGaLoreOptions& options) {
  table.add("scale", &options.scale, "alpha: factor on the lifted direction")
      .range(0, 1e9)
      .origin("GaLore")
      .alias("galore_scale");
  table.add("history", &options.history, "number of low-rank gradients in the Fisher matrix").range(1, 1000);
  table.add("damping", &options.damping, "added to the Fisher matrix's diagonal").range(1e-12, 1e9);
}

std::unique_ptr<Method> make_natural_galore(const NaturalGaLoreOptions& options, const MethodInputs& inputs) {
  return std::make_unique<NaturalGaLore>(options, inputs.subspace(), inputs);
}

std::unique_ptr<MethodKind> natural_galore_kind(const NaturalGaLoreOptions& options) {
  return method_kind("natural_galore", {.has_basis = true, .lifts_alone = true}, make_natural_galore,
                     options);
}

}  // namespace galore
