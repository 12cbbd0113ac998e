#include "nn/norm.h"

#include <ATen/ATen.h>

#include "kernels/convert.h"
#include "kernels/layer_norm.h"
#include "kernels/rms_norm.h"

namespace galore {
namespace {

at::Tensor in_fp32(const Parameter& weight, const Pass& pass, const char* name) {
  return converted(weight.value, at::kFloat, pass.workspace, name);
}

void report(Parameter& parameter, const at::Tensor& gradient, const Pass& pass) {
  if (!parameter.sink) return;
  parameter.sink->add(converted(gradient, pass.dtype, pass.workspace, "norm.gradient_reported"));
  parameter.sink->use_done();
}

at::Tensor gradient_buffer(const Pass& pass, const char* name, int64_t features) {
  return pass.workspace.get(Owner::workspace, name, {features}, at::kFloat);
}

class RmsNorm : public Norm {
 public:
  RmsNorm(const Place& place, const NormSize& size, const LayerBuilder& builder)
      : epsilon_(size.epsilon), plus_one_(size.kind == NormKind::rms_plus_one) {
    define_parameter(weight_, place.as(Role::norm), "weight", {size.features}, builder);
  }

  at::Tensor statistics(const Pass& pass, const std::string& name, int64_t tokens) const override {
    return pass.saved_statistics(name, {tokens});
  }
  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
               const at::Tensor& inverse_rms) const override {
    rms_norm(out, inverse_rms, x, factor(pass), epsilon_);
  }
  void recompute_output(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                        const at::Tensor& inverse_rms) const override {
    rms_norm_recompute(out, inverse_rms, x, factor(pass));
  }
  void backward(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                const at::Tensor& x, const at::Tensor& inverse_rms) override {
    const at::Tensor sum = gradient_buffer(pass, "norm.gradient", x.size(1));
    const RmsNormInputs inputs{x, inverse_rms, factor(pass)};
    rms_norm_backward(x_gradient, sum, gradient, inputs, pass.workspace);
    report(weight_, sum, pass);
  }
  void list(ParameterList& parameters) override { parameters.push_back(&weight_); }

 private:
  at::Tensor factor(const Pass& pass) const {
    const at::Tensor weight = in_fp32(weight_, pass, "norm.weight");
    if (!plus_one_) return weight;
    at::Tensor sum = pass.workspace.get(Owner::workspace, "norm.factor", weight.sizes(), at::kFloat);
    return sum.is_meta() ? sum : at::add_out(sum, weight, at::ones({}));
  }

  Parameter weight_;
  double epsilon_;
  bool plus_one_;
};

class LayerNorm : public Norm {
 public:
  LayerNorm(const Place& place, const NormSize& size, const LayerBuilder& builder) : epsilon_(size.epsilon) {
    define_parameter(weight_, place.as(Role::norm), "weight", {size.features}, builder);
    define_parameter(bias_, place.as(Role::bias), "bias", {size.features}, builder);
  }

  at::Tensor statistics(const Pass& pass, const std::string& name, int64_t tokens) const override {
    return pass.saved_statistics(name, {tokens, 2});
  }
  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
               const at::Tensor& statistics) const override {
    layer_norm_statistics(statistics, x, epsilon_);
    recompute_output(pass, x, out, statistics);
  }
  void recompute_output(const Pass& pass, const at::Tensor& x, const at::Tensor& out,
                        const at::Tensor& statistics) const override {
    layer_norm(out, inputs(pass, x, statistics), in_fp32(bias_, pass, "norm.bias"));
  }
  void backward(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                const at::Tensor& x, const at::Tensor& statistics) override {
    const LayerNormGradients sums{x_gradient, gradient_buffer(pass, "norm.gradient", x.size(1)),
                                  gradient_buffer(pass, "norm.bias_gradient", x.size(1))};
    layer_norm_backward(sums, gradient, inputs(pass, x, statistics), pass.workspace);
    report(weight_, sums.weight, pass);
    report(bias_, sums.bias, pass);
  }
  void list(ParameterList& parameters) override {
    parameters.push_back(&weight_);
    parameters.push_back(&bias_);
  }

 private:
  LayerNormInputs inputs(const Pass& pass, const at::Tensor& x, const at::Tensor& statistics) const {
    return {x, statistics, in_fp32(weight_, pass, "norm.weight")};
  }

  Parameter weight_, bias_;
  double epsilon_;
};

// Stands where an architecture has no norm. Its copies cost little compared with the products around it.
class NoNorm : public Norm {
 public:
  at::Tensor statistics(const Pass&, const std::string&, int64_t) const override { return {}; }
  void forward(const Pass&, const at::Tensor& x, const at::Tensor& out, const at::Tensor&) const override {
    convert(out, x);
  }
  void recompute_output(const Pass&, const at::Tensor& x, const at::Tensor& out,
                        const at::Tensor&) const override {
    convert(out, x);
  }
  void backward(const Pass&, const at::Tensor& gradient, const at::Tensor& x_gradient, const at::Tensor&,
                const at::Tensor&) override {
    x_gradient.add_(gradient);
  }
  void list(ParameterList&) override {}
};

}  // namespace

std::unique_ptr<Norm> make_norm(const Place& place, const NormSize& size, const LayerBuilder& builder) {
  if (size.kind == NormKind::none) return std::make_unique<NoNorm>();
  if (size.kind == NormKind::layer) return std::make_unique<LayerNorm>(place, size, builder);
  return std::make_unique<RmsNorm>(place, size, builder);
}

}  // namespace galore
