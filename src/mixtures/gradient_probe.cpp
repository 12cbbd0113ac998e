#include "mixtures/gradient_probe.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <iterator>

#include "core/errors.h"
#include "core/gradient_tap.h"
#include "kernels/embedding.h"
#include "kernels/matmul.h"
#include "optim/parameter_groups.h"
#include "optim/subspaces/gradient_operator.h"

namespace galore {
namespace {

// Returns x in fp32 and contiguous: x itself, or a copy in a workspace buffer.
at::Tensor as_floats(const at::Tensor& x, const char* name, Workspace& workspace) {
  if (x.scalar_type() == at::kFloat && x.is_contiguous()) return x;
  const at::Tensor copy = workspace.get(Owner::workspace, name, x.sizes(), at::kFloat);
  copy.copy_(x);
  return copy;
}

double dot_product(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_meta()) return 0;
  return at::dot(a.view(-1), b.view(-1)).item<double>();
}

}  // namespace

// Stands in front of one parameter's sink and passes nothing on.
class GradientProbe::Tap : public GradientTap {
 public:
  struct Part {
    Subspace* subspace;  // null: the whole gradient
    at::Tensor buffer;
    double& product;
  };

  Tap(Parameter& parameter, Mode mode, std::vector<Part> parts, Workspace& workspace)
      : GradientTap(parameter), mode_(mode), parts_(std::move(parts)), workspace_(workspace) {}

  void add_product(const at::Tensor& output_gradient, const at::Tensor& input) override {
    const at::Tensor dy = as_floats(output_gradient, "mixture.output_gradient", workspace_);
    const at::Tensor x = as_floats(input, "mixture.input", workspace_);
    for (const Part& part : parts_) {
      const OuterProduct product(dy, x, workspace_);
      const Side side = part.subspace ? part.subspace->side() : Side::right;
      const bool left = part.subspace && side != Side::right, right = part.subspace && side != Side::left;
      take(part, left ? product.reduced_output(part.subspace->left()) : dy,
           right ? product.reduced_input(part.subspace->right()) : x);
    }
  }

  void add_rows(const at::Tensor& indices, const at::Tensor& gradient) override {
    const at::Tensor rows = as_floats(gradient, "mixture.output_gradient", workspace_);
    for (const Part& part : parts_) {
      if (mode_ == Mode::collect) {
        galore::add_rows(part.buffer, indices, rows);
        continue;
      }
      const at::Tensor found = workspace_.get(Owner::workspace, "mixture.product", rows.sizes(), at::kFloat);
      embedding(found, part.buffer, indices);
      part.product += dot_product(found, rows);
    }
  }

  void add(const at::Tensor& gradient) override {
    const at::Tensor whole = as_floats(gradient, "mixture.output_gradient", workspace_);
    for (const Part& part : parts_) {
      const at::Tensor own = part.subspace ? part.subspace->project(whole) : whole;
      if (mode_ == Mode::collect)
        part.buffer.add_(own.view_as(part.buffer));
      else
        part.product += dot_product(part.buffer, own);
    }
  }

  void use_done() override {}

 private:
  // The gradient is left^T right.
  void take(const Part& part, const at::Tensor& left, const at::Tensor& right) {
    if (mode_ == Mode::collect) return outer_product(part.buffer, left, right, true, workspace_);
    const at::Tensor rated = workspace_.get(Owner::workspace, "mixture.product", right.sizes(), at::kFloat);
    matrix_product(rated, left, part.buffer, Write::replace);
    part.product += dot_product(rated, right);
  }

  Mode mode_;
  std::vector<Part> parts_;
  Workspace& workspace_;
};

GradientProbe::GradientProbe(TrainableModel& model, std::vector<InnerProduct> kinds, SubspaceOf subspace_of,
                             Workspace& workspace)
    : model_(model), kinds_(std::move(kinds)), subspace_of_(std::move(subspace_of)), workspace_(workspace) {
  const ParameterList all = model.parameters();
  std::copy_if(all.begin(), all.end(), std::back_inserter(parameters_),
               [](const Parameter* parameter) { return parameter->trainable; });
}

Subspace* GradientProbe::subspace(const Parameter& parameter, InnerProduct kind) const {
  const bool is_table = parameter.role == Role::embedding;
  return kind == InnerProduct::projected && !is_table && subspace_of_ ? subspace_of_(parameter) : nullptr;
}

at::Tensor GradientProbe::buffer(const std::string& set, const Parameter& parameter, InnerProduct kind) {
  const Subspace* own = subspace(parameter, kind);
  const auto shape = own ? own->low_rank_shape() : matrix_sizes(parameter);
  const char* suffix = kind == InnerProduct::projected ? ".low_rank" : "";
  return workspace_.get(Owner::gradients, "mixture." + set + "." + parameter.name + suffix, shape,
                        at::kFloat);
}

LossSum GradientProbe::run(const Batch& batch, const std::string& set, Mode mode,
                           std::vector<double>& products) {
  products.assign(kinds_.size(), 0);
  std::vector<std::unique_ptr<Tap>> taps;
  for (Parameter* parameter : parameters_) {
    std::vector<Tap::Part> parts;
    for (size_t i = 0; i < kinds_.size(); ++i) {
      const at::Tensor own = buffer(set, *parameter, kinds_[i]);
      if (mode == Mode::collect && !own.is_meta()) own.zero_();
      parts.push_back({subspace(*parameter, kinds_[i]), own, products[i]});
    }
    taps.push_back(std::make_unique<Tap>(*parameter, mode, std::move(parts), workspace_));
  }
  // The targets of a planned batch are not counted.
  if (batch.targets.count == 0 && !batch.ids.is_meta()) return {};
  return model_.train_step(batch, 1 / static_cast<double>(std::max<int64_t>(batch.targets.count, 1)));
}

LossSum GradientProbe::collect(const Batch& batch, const std::string& set) {
  std::vector<double> none;
  return run(batch, set, Mode::collect, none);
}

std::vector<double> GradientProbe::rate(const Batch& batch, const std::string& set) {
  std::vector<double> products;
  run(batch, set, Mode::rate, products);
  return products;
}

double GradientProbe::dot(const std::string& a, const std::string& b) {
  double sum = 0;
  for (const Parameter* parameter : parameters_)
    sum += dot_product(buffer(a, *parameter, kinds_.front()), buffer(b, *parameter, kinds_.front()));
  return sum;
}

at::Tensor GradientProbe::part(const std::string& set, const Parameter& parameter) {
  return buffer(set, parameter, InnerProduct::exact);
}

}  // namespace galore
