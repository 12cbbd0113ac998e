#include "optim/methods/coap.h"

#include <ATen/ATen.h>

#include "kernels/apply_direction.h"
#include "kernels/matmul.h"
#include "kernels/orthonormalize.h"
#include "kernels/serial_lapack.h"
#include "optim/methods/coap_descent.h"

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
  at::Tensor product(const char* name, const at::Tensor& a, const at::Tensor& b) {
    const at::Tensor out = workspace_.get(Owner::workspace, name, {a.size(0), b.size(1)}, at::kFloat);
    matrix_product(out, a, b, Write::replace);
    return out;
  }

  std::string refresh(const at::Tensor& gradient, const StepContext& context) {
    if (!subspace_.established()) {
      const std::string notice = subspace_.refresh(gradient, context.random);
      // a memory plan has one refresh, which must allocate the buffers of all kinds
      if (!gradient.is_meta()) return notice;
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
    const at::Tensor small = product("coap.small", h, q);  // (Q^T H^T)^T; we need its left singular vectors
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
    CoapDescent descent(left_, subspace_.basis(), rule_->average(), workspace_);
    const at::Tensor next = descent.next_basis(gradient, options_.coap_rate);
    if (next.defined()) subspace_.replace(subspace_.side(), next, /*oblique=*/true);
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
           "changes of the basis after which it is found from the gradient again")
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
