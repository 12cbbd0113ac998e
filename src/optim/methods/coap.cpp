#include "optim/methods/coap.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/line_norms.h"
#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "kernels/serial_lapack.h"

namespace galore {
namespace {

class Coap : public Method {
 public:
  Coap(const CoapOptions& options, const MethodInputs& inputs)
      : options_(options),
        workspace_(inputs.workspace),
        subspace_({.rank = options.rank,
                   .update_proj_gap = options.update_proj_gap,
                   .subspace = "svd",
                   .refresh = "together"},
                  inputs.rows(), inputs.columns(), inputs.workspace),
        left_(subspace_.side() == Side::left),
        rule_(inputs.rule(subspace_.low_rank_shape())) {}

  Direction direction(at::Tensor gradient, const StepContext& context) override {
    if (context.refresh_due) {
      const std::string notice = refresh(gradient, context);
      context.note(notice);
    }
    const at::Tensor low_rank = subspace_.project(gradient, context.refresh_due);
    return subspace_.lift(rule_->direction(low_rank, context.step), options_.scale);
  }

  Subspace* subspace() override { return &subspace_; }

  void visit(StateVisitor& visitor) override {
    subspace_.visit(visitor);
    rule_->visit(visitor);
  }

 private:
  at::Tensor buffer(const char* name, int64_t rows, int64_t columns) {
    return workspace_.get(Owner::workspace, name, {rows, columns}, at::kFloat);
  }
  at::Tensor product(const char* name, const at::Tensor& a, const at::Tensor& b) {
    const at::Tensor out = buffer(name, a.size(0), b.size(1));
    matrix_product(out, a, b, Write::replace);
    return out;
  }

  std::string refresh(const at::Tensor& gradient, const StepContext& context) {
    if (!subspace_.established()) {
      const std::string notice = subspace_.refresh(gradient, context.random);
      if (!gradient.is_meta()) return notice;  // a memory plan has one refresh: it sees all kinds
    }
    const int64_t done = context.step - 1;
    const bool again = done % (options_.update_proj_gap * options_.reproject_factor) == 0;
    if (again || gradient.is_meta())
      if (const std::string notice = reproject(gradient); !notice.empty()) return notice;
    if (!again || gradient.is_meta()) descend(gradient);
    return "";
  }

  std::string reproject(const at::Tensor& gradient) {
    const at::Tensor h = left_ ? gradient : gradient.t();
    const at::Tensor q = product("coap.range", h.t(), subspace_.basis());
    if (!q.is_meta() && kernels::sum_squares(q) == 0)
      return "the gradient leads nowhere: keeps the old basis";
    orthonormalize(q, workspace_);
    const at::Tensor small =
        product("coap.small", h, q);  // (Q^T H^T)^T: its left singular vectors are wanted
    workspace_.ledger().note_transient(3 * 4 * small.numel());
    if (small.is_meta()) return "";
    try {
      const SerialLapack serial(small.size(0));
      const at::Tensor found = std::get<0>(at::linalg_svd(small, /*full_matrices=*/false));
      const at::Tensor signs = at::where((found * subspace_.basis()).sum(0) < 0, -1.0f, 1.0f);
      subspace_.replace(subspace_.side(), found.mul(signs).contiguous());
    } catch (const c10::Error&) {
      return "a decomposition failed: keeps the old basis";
    }
    return "";
  }

  void descend(const at::Tensor& gradient) {
    const at::Tensor p = subspace_.basis(), h = left_ ? gradient : gradient.t();
    const at::Tensor w = product("coap.low_rank", p.t(), h), k = product("coap.gram", w, w.t()),
                     q = product("coap.overlap", p.t(), p), slope = product("coap.along", h, w.t());
    const at::Tensor of_cosine = buffer("coap.of_cosine", p.size(0), p.size(1));
    const double cosine = mean_cosine(gradient, w, q, of_cosine);
    if (p.is_meta()) return subspace_.replace(subspace_.side(), p, /*oblique=*/true);
    const auto count = static_cast<double>(gradient.numel());
    const double whole = kernels::sum_squares(gradient);
    if (whole == 0) return;
    const at::Tensor exact = k.to(at::kDouble);
    const double loss =
        ((exact * q.to(at::kDouble)).sum().item<double>() - 2 * exact.trace().item<double>() + whole) / count;
    q.diagonal().sub_(2);
    const double factor = 2 / count * (1 - cosine);
    const at::Tensor total = slope.mm(q).addmm_(p, k).mul_(factor).sub_(of_cosine, loss);
    const double size = std::sqrt(kernels::sum_squares(total));
    const at::Tensor next = p.sub(total, options_.coap_rate * std::min(1.0, 1 / (size + 1e-6)));
    subspace_.replace(subspace_.side(), next, /*oblique=*/true);
  }

  // Of the rows of X and G; `of_basis`: its slope. w: the low-rank gradient as h's projection, r x lines.
  double mean_cosine(const at::Tensor& gradient, const at::Tensor& w, const at::Tensor& overlap,
                     const at::Tensor& of_basis) {
    const at::Tensor p = subspace_.basis(), m = rule_->average();
    // Rows of X: factors' rows times a matrix of r columns.
    const at::Tensor rows = left_ ? p : m;
    const at::Tensor with_g = left_ ? product("coap.with_moment", gradient, m.t()) : w.t();
    const at::Tensor gram = left_ ? product("coap.moment_gram", m, m.t()) : overlap;
    const at::Tensor squares =
        workspace_.get(Owner::workspace, "coap.squares", {gradient.size(0)}, at::kDouble);
    kernels::squared_norms(squares, gradient, kernels::Lines::rows);
    workspace_.ledger().note_transient(4 * 4 * rows.numel());
    if (p.is_meta()) {
      if (!left_) product("coap.moment_slope", gradient.t(), m);
      return 0;
    }
    const at::Tensor size_g = squares.sqrt().clamp_min_(1e-8);
    const at::Tensor size_x =
        (rows.mm(gram) * rows).sum(1, false, at::kDouble).clamp_min_(0).sqrt_().clamp_min_(1e-8);
    const at::Tensor cosine = (rows * with_g).sum(1, false, at::kDouble).div_(size_x).div_(size_g);
    const auto count = static_cast<double>(gradient.size(0));
    const at::Tensor a = (1 / (size_x * size_g * count)).to(at::kFloat).unsqueeze(1);
    const at::Tensor b = (cosine / (size_x * size_x * count)).to(at::kFloat).unsqueeze(1);
    if (left_) {
      at::Tensor out = of_basis;
      at::mul_out(out, with_g, a).sub_(p.mm(gram) * b);
    } else {
      of_basis.copy_(product("coap.moment_slope", gradient.t(), m * a)).sub_(p.mm(m.t().mm(m * b)));
    }
    return cosine.mean().item<double>();
  }

  CoapOptions options_;
  Workspace& workspace_;
  Subspace subspace_;
  bool left_;
  std::unique_ptr<UpdateRule> rule_;
};

}  // namespace

void declare_options(OptionTable& table, CoapOptions& options) {
  const char* const origin = "the authors' code";
  table.add("rank", &options.rank, "dimension of the subspace").range(1, 1e9);
  table.add("update_proj_gap", &options.update_proj_gap, "updates between changes of the basis")
      .range(1, 1e15)
      .origin(origin);
  table
      .add("reproject_factor", &options.reproject_factor,
           "every so many changes the basis is taken from the gradient anew")
      .range(1, 1e15)
      .origin(origin);
  table.add("coap_rate", &options.coap_rate, "learning rate of the basis").range(0, 1e9).origin(origin);
  table.add("scale", &options.scale, "factor on the lifted direction").range(0, 1e9).origin(origin);
}

std::unique_ptr<Method> make_coap(const CoapOptions& options, const MethodInputs& inputs) {
  return std::make_unique<Coap>(options, inputs);
}

std::unique_ptr<MethodKind> coap_kind(const CoapOptions& options) {
  return method_kind("coap", {}, make_coap, options);
}

}  // namespace galore
