#include "adapters/lora_factors.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/convert.h"
#include "kernels/dropout.h"
#include "kernels/matmul.h"

namespace galore {
namespace {

void define_factor(Parameter& factor, const Place& place, const char* name, at::IntArrayRef shape,
                   Ledger& ledger) {
  factor.name = place.name + "." + name;
  factor.role = Role::adapter;
  factor.layer = place.layer;
  factor.value = ledger.empty(Owner::weights, shape, at::kFloat);
  factor.whole_products = true;
}

// Returns the tensor as one row per row of the batch, which is the shape of a dropout mask.
at::Tensor rows_of_batch(const Pass& pass, const at::Tensor& x) {
  return x.view({pass.rows, x.numel() / pass.rows});
}

}  // namespace

LoraFactors::LoraFactors(const Place& place, const LinearSize& size, const LoraSettings& settings,
                         Ledger& ledger)
    : name_(place.name), settings_(settings) {
  define_factor(a_, place, "lora_A.weight", {settings.rank, size.inputs}, ledger);
  define_factor(b_, place, "lora_B.weight", {size.outputs, settings.rank}, ledger);
}

DropoutMask LoraFactors::mask(const Pass& pass) const {
  return pass.dropout->mask(settings_.dropout, name_ + ".lora_dropout");
}

bool LoraFactors::drops(const Pass& pass) const { return pass.dropout && settings_.dropout > 0; }

LoraFactors::Input LoraFactors::input(const Pass& pass, const at::Tensor& x) const {
  if (!drops(pass)) return {x, std::nullopt};
  Scratch dropped = pass.scratch("adapter.input", x.sizes());
  drop(pass, x, dropped, Write::replace);
  return {x, std::move(dropped)};
}

void LoraFactors::drop(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                       Write write) const {
  dropout(rows_of_batch(pass, x_gradient), rows_of_batch(pass, gradient), mask(pass),
          pass.dropout->place.first_row, write);
}

at::Tensor LoraFactors::a_for(const Pass& pass) const {
  return converted(a_.value, pass.dtype, pass.workspace, "adapter.a");
}

at::Tensor LoraFactors::b_for(const Pass& pass) const {
  return converted(b_.value, pass.dtype, pass.workspace, "adapter.b");
}

Scratch LoraFactors::thin_input(const Pass& pass, const at::Tensor& input) const {
  Scratch thin = pass.scratch("adapter.thin_input", {input.size(0), settings_.rank});
  product_x_wt(thin, input, a_for(pass), Write::replace, pass.workspace);
  if (!thin->is_meta()) thin->mul_(settings_.scale);
  return thin;
}

Scratch LoraFactors::thin_gradient(const Pass& pass, const at::Tensor& gradient) const {
  Scratch thin = pass.scratch("adapter.thin_gradient", {gradient.size(0), settings_.rank});
  product_x_w(thin, gradient, b_for(pass), Write::replace, pass.workspace);
  if (!thin->is_meta()) thin->mul_(settings_.scale);
  return thin;
}

void LoraFactors::add_output(const Pass& pass, const at::Tensor& input, const at::Tensor& out) const {
  const Scratch thin = thin_input(pass, input);
  product_x_wt(out, thin, b_for(pass), Write::accumulate, pass.workspace);
}

void LoraFactors::add_input_gradient(const Pass& pass, const at::Tensor& gradient,
                                     const at::Tensor& out) const {
  const Scratch thin = thin_gradient(pass, gradient);
  product_x_w(out, thin, a_for(pass), Write::accumulate, pass.workspace);
}

void LoraFactors::report(const Pass& pass, const at::Tensor& gradient, const at::Tensor& input) {
  // A sink may change its factor at once, so both thin products come first.
  const Scratch thin_x = thin_input(pass, input), thin_dy = thin_gradient(pass, gradient);
  if (a_.sink) {
    a_.sink->add_product(thin_dy, input);
    a_.sink->use_done();
  }
  if (b_.sink) {
    b_.sink->add_product(gradient, thin_x);
    b_.sink->use_done();
  }
}

void LoraFactors::initialize(uint64_t seed) {
  if (a_.value.is_meta()) return;
  const double bound = 1 / std::sqrt(static_cast<double>(a_.value.size(1)));
  draw_uniform(a_.value, bound, {seed, "init", a_.name});
  b_.value.zero_();
}

at::Tensor LoraFactors::product() const { return at::mm(b_.value, a_.value).mul_(settings_.scale); }

void LoraFactors::list(ParameterList& parameters) {
  parameters.push_back(&a_);
  parameters.push_back(&b_);
}

void draw_uniform(const at::Tensor& out, double bound, RandomStream stream) {
  if (out.is_meta()) return;
  const at::Tensor drawn = at::empty(out.sizes(), at::kFloat);
  float* values = drawn.mutable_data_ptr<float>();
  for (int64_t i = 0; i < drawn.numel(); ++i)
    values[i] = static_cast<float>((2 * stream.uniform() - 1) * bound);
  out.copy_(drawn);
}

}  // namespace galore
