#include "optim/methods/racs.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/line_norms.h"
#include "kernels/two_sided.h"
#include "optim/limiters/norm_growth.h"

namespace galore {
namespace {

// Returns x divided by its squared length, and zeros for zeros.
at::Tensor over_squared_length(const at::Tensor& x) { return x / x.square().sum().clamp_min(1e-300); }

// Returns factor / sqrt(x), and 0 where x is 0.
at::Tensor inverse_root(const at::Tensor& x, double factor) {
  return (x.to(at::kDouble).clamp_min(1e-300).rsqrt() * (x > 0) * factor).to(at::kFloat);
}

class Racs : public Method {
 public:
  Racs(const RacsOptions& options, const MethodInputs& inputs)
      : options_(options), limiter_(options.limiter) {
    Ledger& ledger = inputs.workspace.ledger();
    rows_ = ledger.zeros(Owner::moments, {inputs.rows()}, at::kFloat);
    columns_ = ledger.zeros(Owner::moments, {inputs.columns()}, at::kFloat);
  }

  Direction direction(at::Tensor gradient, const StepContext&) override {
    average_fixed_point(gradient);
    const double squared_norm = kernels::scale_rows_and_columns(gradient, inverse_root(rows_, options_.scale),
                                                                inverse_root(columns_, 1));
    const double factor = limiter_.factor(std::sqrt(squared_norm));
    if (factor != 1) gradient.mul_(factor);
    return {.dense = gradient, .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override {
    visit_average("rows", rows_, visitor);
    visit_average("columns", columns_, visitor);
    limiter_.visit(visitor);
  }

 private:
  void average_fixed_point(const at::Tensor& gradient) {
    const at::Tensor q = at::ones_like(rows_);
    const at::Tensor sums = at::empty(columns_.sizes(), columns_.options().dtype(at::kDouble));
    at::Tensor s;
    kernels::squared_norms(sums, gradient, kernels::Lines::columns);
    for (int64_t i = 0; i < options_.iterations; ++i) {
      s = sums / q.to(at::kDouble).square().sum().clamp_min(1e-300);
      const at::Tensor weights = over_squared_length(s).to(at::kFloat);
      kernels::weigh_rows_then_columns(q, sums, gradient, weights, {kernels::RowWeight::product});
    }
    rows_.mul_(options_.racs_beta).add_(q, 1 - options_.racs_beta);
    columns_.mul_(options_.racs_beta).add_(s, 1 - options_.racs_beta);
  }

  RacsOptions options_;
  NormGrowth limiter_;
  at::Tensor rows_, columns_;  // averages of q and s
};

}  // namespace

void declare_options(OptionTable& table, RacsOptions& options) {
  table.add("racs_beta", &options.racs_beta, "decay of the averages of row and column scales")
      .range(0, 1 - 1e-9)
      .origin("RACS, table 9");
  table.add("iterations", &options.iterations, "steps towards the fixed point of row and column scales")
      .range(1, 1000)
      .origin("RACS, section 4");
  table.add("scale", &options.scale, "alpha: factor on the direction").range(0, 1e9).origin("RACS, table 9");
  table.add("limiter", &options.limiter, "largest growth of the direction's norm; 0: no limit")
      .range(0, 1e9)
      .origin("RACS, appendix F.2");
}

std::unique_ptr<Method> make_racs(const RacsOptions& options, const MethodInputs& inputs) {
  return std::make_unique<Racs>(options, inputs);
}

std::unique_ptr<MethodKind> racs_kind(const RacsOptions& options) {
  return method_kind("racs", {}, make_racs, options);
}

}  // namespace galore
