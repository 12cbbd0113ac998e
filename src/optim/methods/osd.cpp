#include "optim/methods/osd.h"

#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/matmul.h"
#include "optim/update_rules/adamw.h"

namespace galore {
namespace {

class Osd : public Method {
 public:
  Osd(const OsdOptions& options, const MethodInputs& inputs)
      : options_(options),
        workspace_(inputs.workspace),
        subspace_({.rank = options.rank, .subspace = "svd"}, inputs.rows(), inputs.columns(),
                  inputs.workspace),
        left_(subspace_.side() == Side::left),
        rule_(inputs.rule(subspace_.low_rank_shape())),
        rule_of_basis_(make_adamw({}, {}, subspace_.basis().sizes(), inputs.workspace)) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    const bool first = !subspace_.established();
    if (first) {
      const std::string notice = subspace_.refresh(gradient, context.random);
      context.note(notice);
    }
    const at::Tensor low_rank = subspace_.project(gradient);
    // A memory plan has one update, which must also allocate the buffers of later updates.
    const bool moves = !first || gradient.is_meta();
    const at::Tensor slope = moves ? slope_of_basis(gradient, low_rank) : at::Tensor();
    const at::Tensor adapted = rule_->direction(low_rank, context.step);
    // The basis moves after this update's direction was computed. The direction keeps a copy of the old
    // basis.
    const at::Tensor p = subspace_.basis();
    const at::Tensor used = buffer("osd.used", p.size(0), p.size(1)).copy_(p);
    if (slope.defined()) {
      const at::Tensor step = rule_of_basis_->direction(slope, ++count_);
      subspace_.replace(subspace_.side(), step.mul_(-options_.osd_lr).add_(used));
    }
    return {.dense = {},
            .left = left_ ? used : adapted,
            .right = left_ ? adapted : used.t(),
            .scale = options_.scale};
  }

  void visit(StateVisitor& visitor) override {
    subspace_.visit(visitor);
    rule_->visit(visitor);
    PrefixVisitor of_basis(visitor, "basis.");
    rule_of_basis_->visit(of_basis);
    of_basis.scalar("steps", count_);
  }

 private:
  at::Tensor buffer(const char* name, int64_t rows, int64_t columns) {
    return workspace_.get(Owner::workspace, name, {rows, columns}, at::kFloat);
  }

  // Returns the gradient of the basis's loss in a buffer, or an undefined tensor when the weight's gradient
  // is zero.
  at::Tensor slope_of_basis(const at::Tensor& gradient, const at::Tensor& low_rank) {
    const double square = kernels::sum_squares(gradient);
    const at::Tensor p = subspace_.basis(), a = left_ ? low_rank : low_rank.t();
    const int64_t rows = p.size(0), rank = p.size(1);
    const at::Tensor along = buffer("osd.along", rows, rank), slope = buffer("osd.slope", rows, rank);
    const at::Tensor of_basis = buffer("osd.of_basis", rank, rank),
                     overlap = buffer("osd.overlap", rank, rank);
    matrix_product(along, left_ ? gradient : gradient.t(), a.t(), Write::replace);  // W
    matrix_product(of_basis, a, a.t(), Write::replace);                             // K
    matrix_product(overlap, p.t(), p, Write::replace);                              // Q
    if (p.is_meta()) return slope;
    if (square == 0) return {};
    overlap.diagonal().sub_(1);
    of_basis.mul_(2 / square).add_(overlap, 4 * options_.osd_lambda);
    overlap.diagonal().sub_(1);
    matrix_product(slope, p, of_basis, Write::replace);
    matrix_product(slope, along, overlap.mul_(2 / square), Write::accumulate);
    return slope;
  }

  OsdOptions options_;
  Workspace& workspace_;
  Subspace subspace_;
  bool left_;
  std::unique_ptr<UpdateRule> rule_;
  std::unique_ptr<UpdateRule> rule_of_basis_;
  int64_t count_ = 0;  // steps of the basis
};

}  // namespace

void declare_options(OptionTable& table, OsdOptions& options) {
  table.add("rank", &options.rank, "dimension of the subspace").range(1, 1e9).alias("galore_rank");
  table.add("scale", &options.scale, "alpha: factor on the lifted direction")
      .range(0, 1e9)
      .alias("galore_scale");
  table.add("osd_lr", &options.osd_lr, "learning rate of the basis")
      .range(0, 1e6)
      .origin("the authors' code");
  table.add("osd_lambda", &options.osd_lambda, "weight of the basis's distance from orthonormality")
      .range(0, 1e9)
      .origin("paper, section 5");
}

std::unique_ptr<Method> make_osd(const OsdOptions& options, const MethodInputs& inputs) {
  return std::make_unique<Osd>(options, inputs);
}

std::unique_ptr<MethodKind> osd_kind(const OsdOptions& options) {
  return method_kind("osd", {}, make_osd, options);
}

}  // namespace galore
