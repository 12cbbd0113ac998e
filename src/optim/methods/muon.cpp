#include "optim/methods/muon.h"

#include <cmath>

#include "kernels/apply_direction.h"
#include "kernels/averages.h"
#include "kernels/newton_schulz.h"

namespace galore {
namespace {

class Muon : public Method {
 public:
  Muon(const MuonOptions& options, const MethodInputs& inputs)
      : options_(options),
        aspect_(static_cast<double>(inputs.rows()) / static_cast<double>(inputs.columns())),
        workspace_(inputs.workspace),
        average_(inputs.moment(inputs.weight.shape, /*is_signed=*/true)) {}

  Direction direction(at::Tensor gradient, const StepContext&) override {
    const at::Tensor average = average_->read();
    const double rest = 1 - options_.momentum;
    kernels::average_gradient(average, gradient, {options_.momentum, rest, options_.nesterov, rest});
    average_->write(average);
    gradient.mul_(1 / (std::sqrt(kernels::sum_squares(gradient)) + 1e-7));
    const auto rounded =
        options_.ns_dtype == "bfloat16" ? kernels::Rounded::to_bfloat16 : kernels::Rounded::no;
    const at::Tensor whitened =
        newton_schulz(gradient, {.steps = options_.ns_steps, .rounded = rounded}, workspace_);
    const double factor = options_.scale * std::sqrt(std::max(1.0, aspect_));
    if (factor != 1) whitened.mul_(factor);
    return {.dense = whitened, .left = {}, .right = {}};
  }

  void visit(StateVisitor& visitor) override { average_->visit("momentum", visitor); }

 private:
  MuonOptions options_;
  double aspect_;
  Workspace& workspace_;
  std::unique_ptr<Moment> average_;
};

}  // namespace

void declare_options(OptionTable& table, MuonOptions& options) {
  table.add("momentum", &options.momentum, "decay of the averaged gradient")
      .range(0, 1 - 1e-9)
      .origin("the authors' code");
  table.add("nesterov", &options.nesterov, "look one momentum step ahead").origin("the authors' code");
  table.add("ns_steps", &options.ns_steps, "Newton-Schulz steps").range(0, 100).origin("the authors' code");
  table.add("ns_dtype", &options.ns_dtype, "number format of the Newton-Schulz iterates")
      .choices({"bfloat16", "float32"})
      .origin("the authors' code");
  table.add("scale", &options.scale, "factor on the direction").range(0, 1e9);
}

std::unique_ptr<Method> make_muon(const MuonOptions& options, const MethodInputs& inputs) {
  return std::make_unique<Muon>(options, inputs);
}

std::unique_ptr<MethodKind> muon_kind(const MuonOptions& options) {
  return method_kind("muon", {}, make_muon, options);
}

}  // namespace galore
