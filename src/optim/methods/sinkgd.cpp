#include "optim/methods/sinkgd.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/two_sided.h"

namespace galore {
namespace {

class Sinkgd : public Method {
 public:
  explicit Sinkgd(const SinkgdOptions& options) : options_(options) {}

  Direction direction(at::Tensor gradient, const StepContext&) override {
    const double m = static_cast<double>(gradient.size(0)), n = static_cast<double>(gradient.size(1));
    const double squares = kernels::sum_squares(gradient);
    // Squares of r and c. Any constant may be the start; this one keeps all numbers near 1.
    const at::Tensor rows = at::empty({gradient.size(0)}, gradient.options());
    at::Tensor columns = at::full({gradient.size(1)}, squares > 0 ? m * n / squares : 1, gradient.options());
    const at::Tensor sums = at::empty(columns.sizes(), columns.options().dtype(at::kDouble));
    for (int64_t i = 0; i < options_.iterations; ++i) {
      kernels::weigh_rows_then_columns(rows, sums, gradient, columns, {kernels::RowWeight::quotient, n});
      columns.copy_(m / sums.clamp_min(1e-300) * (sums > 0));
    }
    kernels::scale_rows_and_columns(gradient, rows.sqrt() * options_.scale, columns.sqrt());
    return {.dense = gradient, .left = {}, .right = {}};
  }

  void visit(StateVisitor&) override {}

 private:
  SinkgdOptions options_;
};

}  // namespace

void declare_options(OptionTable& table, SinkgdOptions& options) {
  table.add("iterations", &options.iterations, "times that rows and then columns are normalized")
      .range(1, 1000)
      .origin("SinkGD, section 5");
  table.add("scale", &options.scale, "factor on the direction").range(0, 1e9);
}

std::unique_ptr<Method> make_sinkgd(const SinkgdOptions& options, const MethodInputs&) {
  return std::make_unique<Sinkgd>(options);
}

std::unique_ptr<MethodKind> sinkgd_kind(const SinkgdOptions& options) {
  return method_kind("sinkgd", {}, make_sinkgd, options);
}

}  // namespace galore
