#include "adapters/lora_factors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "adapters/layer_parts.h"
#include "adapters/leading_triplets.h"
#include "core/errors.h"
#include "kernels/convert.h"
#include "kernels/dropout.h"
#include "kernels/matmul.h"
#include "nn/linear_layer.h"

namespace galore {
namespace {

constexpr int64_t kStartIterations = 8;  // of the search for the triplets of inputs and gradients
constexpr double kStableGamma = 64;      // divides A and B of LoRA-One by 8, from the authors' code

// Returns the tensor as one row per row of the batch, which is the shape of a dropout mask.
at::Tensor rows_of_batch(const Pass& pass, const at::Tensor& x) {
  return x.view({pass.rows, x.numel() / pass.rows});
}

// Returns the name of a place without that of its layer, so that all layers share a buffer of this name.
std::string name_in_layer(const Place& place) {
  const std::string number = "." + std::to_string(place.layer) + ".";
  const size_t at = place.name.find(number);
  return at == std::string::npos ? place.name : place.name.substr(at + number.size());
}

}  // namespace

LoraFactors::LoraFactors(const Place& place, const LinearSize& size, const LoraSettings& settings,
                         Ledger& ledger)
    : name_(place.name), name_in_layer_(name_in_layer(place)), settings_(settings) {
  define_fp32(a_, place, "lora_A.weight", {settings.rank, size.inputs}, ledger);
  define_fp32(b_, place, "lora_B.weight", {size.outputs, settings.rank}, ledger);
  a_.whole_products = b_.whole_products = !size.in_chunks;
  const int64_t most = std::min(size.inputs, size.outputs);
  if (settings.start != LoraStart::uniform && settings.rank > most)
    fail_usage("init_lora_weights", "expected r of at most {} for {} ({} x {}), given {}", most, name_,
               size.outputs, size.inputs, settings.rank);
  if (settings.start != LoraStart::pissa) return;
  define_fp32(start_a_, place, "lora_A.start", a_.sizes(), ledger);
  define_fp32(start_b_, place, "lora_B.start", b_.sizes(), ledger);
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

at::Tensor LoraFactors::for_pass(const Pass& pass, const Parameter& factor) const {
  const bool is_a = &factor == &a_ || &factor == &start_a_;
  return converted(factor.value, pass.dtype, pass.workspace, is_a ? "adapter.a" : "adapter.b");
}

// Each layer keeps its own, with gradient checkpointing too: what is computed again leaves out the products
// that only the next layer reads.
at::Tensor LoraFactors::thin_input(const Pass& pass, int64_t tokens) const {
  return pass.workspace.get(Owner::activations, name_ + ".thin_input", {tokens, settings_.rank}, pass.dtype);
}

at::Tensor LoraFactors::thin_gradient(const Pass& pass, int64_t tokens) const {
  return pass.workspace.get(Owner::workspace, "adapter.thin_gradient." + name_in_layer_,
                            {tokens, settings_.rank}, pass.dtype);
}

void LoraFactors::add(const Pass& pass, const at::Tensor& thin, const at::Tensor& given, const Pair& pair,
                      const at::Tensor& out) const {
  product_x_wt(thin, given, for_pass(pass, pair.a), Write::replace, pass.workspace);
  if (!thin.is_meta()) thin.mul_(settings_.scale);
  product_x_wt(out, thin, for_pass(pass, pair.b), Write::accumulate, pass.workspace);
}

void LoraFactors::add_transposed(const Pass& pass, const at::Tensor& thin, const at::Tensor& gradient,
                                 const Pair& pair, const at::Tensor& out) const {
  product_x_w(thin, gradient, for_pass(pass, pair.b), Write::replace, pass.workspace);
  if (!thin.is_meta()) thin.mul_(settings_.scale);
  product_x_w(out, thin, for_pass(pass, pair.a), Write::accumulate, pass.workspace);
}

void LoraFactors::add_output(const Pass& pass, const at::Tensor& input, const at::Tensor& out) const {
  const int64_t tokens = input.size(0);
  add(pass, thin_input(pass, tokens), input, {a_, b_}, out);
  if (!has_start()) return;
  const Scratch thin = pass.scratch("adapter.start", {tokens, settings_.rank});
  add(pass, thin, input, {start_a_, start_b_}, out);
}

void LoraFactors::add_input_gradient(const Pass& pass, const at::Tensor& gradient,
                                     const at::Tensor& out) const {
  const int64_t tokens = gradient.size(0);
  add_transposed(pass, thin_gradient(pass, tokens), gradient, {a_, b_}, out);
  if (!has_start()) return;
  const Scratch thin = pass.scratch("adapter.start", {tokens, settings_.rank});
  add_transposed(pass, thin, gradient, {start_a_, start_b_}, out);
}

void LoraFactors::report(const Pass& pass, const at::Tensor& gradient, const at::Tensor& input) {
  if (a_.sink) {
    a_.sink->add_product(thin_gradient(pass, gradient.size(0)), input);
    finish_report(pass, a_);
  }
  if (b_.sink) {
    b_.sink->add_product(gradient, thin_input(pass, gradient.size(0)));
    finish_report(pass, b_);
  }
}

// PiSSA: A = sqrt(S / s) V^T and B = U sqrt(S / s) with the leading triplets of W, so that s B A is the best
// approximation of W. W - s B A + s B A is W at first.
void LoraFactors::initialize(uint64_t seed, const std::function<at::Tensor()>& weight) {
  if (a_.value.is_meta()) return;
  const RandomStream stream(seed, "init", a_.name);
  if (!has_start()) {
    draw_uniform(a_.value, 1 / std::sqrt(static_cast<double>(a_.value.size(1))), stream);
    b_.value.zero_();
    return;
  }
  const at::Tensor w = weight();
  const ThinProducts products{w.size(0), w.size(1), [&](const at::Tensor& v) { return at::mm(w, v); },
                              [&](const at::Tensor& q) { return at::mm(w.t(), q); }};
  const Triplets found = settings_.start_iterations == 0
                             ? exact_triplets(w, settings_.rank)
                             : leading_triplets(products, settings_.rank, settings_.start_iterations, stream);
  set_from(found, at::div(found.values, settings_.scale).sqrt_());
  start_a_.value.copy_(a_.value);
  start_b_.value.copy_(b_.value).neg_();
}

void LoraFactors::set_from(const Triplets& found, const at::Tensor& sizes) {
  a_.value.copy_(found.right.mul(sizes).t());
  b_.value.copy_(found.left.mul(sizes));
}

bool LoraFactors::starts_from_data() const {
  return settings_.start == LoraStart::eva || settings_.start == LoraStart::lora_one;
}

// LoRA-One takes the triplets of minus the gradient, with values divided by the largest and by gamma. The
// gradient dY^T X is known through its products and never formed.
void LoraFactors::start_from(const at::Tensor& gradient, const at::Tensor& input) {
  const RandomStream stream(0, "start", a_.name);
  const at::Tensor x = input.to(at::kFloat), dy = gradient.to(at::kFloat);
  if (x.size(0) < settings_.rank) return;
  if (settings_.start == LoraStart::eva) {
    const ThinProducts of_input{x.size(0), x.size(1), [&](const at::Tensor& v) { return at::mm(x, v); },
                                [&](const at::Tensor& q) { return at::mm(x.t(), q); }};
    a_.value.copy_(leading_triplets(of_input, settings_.rank, kStartIterations, stream).right.t());
    return;
  }
  const ThinProducts of_gradient{dy.size(1), x.size(1),
                                 [&](const at::Tensor& v) { return at::mm(dy.t(), at::mm(x, v)).neg_(); },
                                 [&](const at::Tensor& q) { return at::mm(x.t(), at::mm(dy, q)).neg_(); }};
  const Triplets found = leading_triplets(of_gradient, settings_.rank, kStartIterations, stream);
  const at::Tensor largest = found.values[0].clamp_min(std::numeric_limits<float>::min());
  set_from(found, found.values.div(largest * kStableGamma).sqrt_());
}

at::Tensor LoraFactors::product() const {
  const at::Tensor sum = at::mm(b_.value, a_.value);
  if (has_start()) sum.addmm_(start_b_.value, start_a_.value);
  return sum.mul_(settings_.scale);
}

void LoraFactors::list(ParameterList& parameters) {
  parameters.push_back(&a_);
  parameters.push_back(&b_);
  if (!has_start()) return;
  parameters.push_back(&start_a_);
  parameters.push_back(&start_b_);
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
