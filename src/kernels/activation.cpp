#include "kernels/activation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/errors.h"
#include "kernels/op_table.h"

namespace galore {
namespace {
using at::Tensor;

Tensor gelu_exact(const Tensor& x) { return at::gelu(x); }
Tensor gelu_exact_gradient(const Tensor& g, const Tensor& x) { return at::gelu_backward(g, x); }
Tensor gelu_by_tanh(const Tensor& x) { return at::gelu(x, "tanh"); }
Tensor gelu_by_tanh_gradient(const Tensor& g, const Tensor& x) { return at::gelu_backward(g, x, "tanh"); }

constexpr double kClip = 10;
Tensor clipped_gelu(const Tensor& x) { return at::gelu(x).clamp(-kClip, kClip); }
Tensor clipped_gelu_gradient(const Tensor& g, const Tensor& x) {
  return at::gelu_backward(g.masked_fill(at::gelu(x).abs().gt(kClip), 0), x);
}

constexpr double kQuick = 1.702;
Tensor quick_gelu(const Tensor& x) { return x * (kQuick * x).sigmoid(); }
Tensor quick_gelu_gradient(const Tensor& g, const Tensor& x) {
  const Tensor share = (kQuick * x).sigmoid();
  return g * (share + kQuick * x * share * (1 - share));
}

// Mean and deviation are those of Mega (Ma et al., 2022).
constexpr double kLaplaceMean = 0.707107, kLaplaceDeviation = 0.282095;
Tensor laplace(const Tensor& x) {
  return 0.5 * (1 + at::erf((x - kLaplaceMean) / (kLaplaceDeviation * std::numbers::sqrt2)));
}
Tensor laplace_gradient(const Tensor& g, const Tensor& x) {
  const double height = 1 / (kLaplaceDeviation * std::sqrt(2 * std::numbers::pi));
  return g * height * (-0.5 * ((x - kLaplaceMean) / kLaplaceDeviation).square()).exp();
}

Tensor root_of_softplus(const Tensor& x) { return at::softplus(x).sqrt(); }
Tensor root_of_softplus_gradient(const Tensor& g, const Tensor& x) {
  return at::softplus_backward(g / (2 * at::softplus(x).sqrt()), x, 1, 20);
}

constexpr double kLeak = 0.01;
Tensor leaky_relu(const Tensor& x) { return at::leaky_relu(x, kLeak); }
Tensor leaky_relu_gradient(const Tensor& g, const Tensor& x) {
  return at::leaky_relu_backward(g, x, kLeak, /*self_is_result=*/false);
}

Tensor relu(const Tensor& x) { return at::relu(x); }
Tensor relu_gradient(const Tensor& g, const Tensor& x) { return at::threshold_backward(g, x, 0); }
Tensor squared_relu(const Tensor& x) { return at::relu(x).square(); }
Tensor squared_relu_gradient(const Tensor& g, const Tensor& x) { return 2 * g * at::relu(x); }
Tensor relu6(const Tensor& x) { return at::hardtanh(x, 0, 6); }
Tensor relu6_gradient(const Tensor& g, const Tensor& x) { return at::hardtanh_backward(g, x, 0, 6); }
Tensor hard_swish(const Tensor& x) { return at::hardswish(x); }
Tensor hard_swish_gradient(const Tensor& g, const Tensor& x) { return at::hardswish_backward(g, x); }
Tensor identity(const Tensor& x) { return x; }
Tensor identity_gradient(const Tensor& g, const Tensor&) { return g; }
Tensor mish(const Tensor& x) { return at::mish(x); }
Tensor mish_gradient(const Tensor& g, const Tensor& x) { return at::mish_backward(g, x); }
Tensor sigmoid(const Tensor& x) { return at::sigmoid(x); }
Tensor sigmoid_gradient(const Tensor& g, const Tensor& x) { return at::sigmoid_backward(g, at::sigmoid(x)); }
Tensor silu(const Tensor& x) { return at::silu(x); }
Tensor silu_gradient(const Tensor& g, const Tensor& x) { return at::silu_backward(g, x); }
Tensor tangent(const Tensor& x) { return at::tanh(x); }
Tensor tangent_gradient(const Tensor& g, const Tensor& x) { return at::tanh_backward(g, at::tanh(x)); }

// Functions that transformers computes by different formulas share a row here if they are equal but for
// rounding.
constexpr Activation kActivations[] = {{"silu", silu, silu_gradient},
                                       {"swish", silu, silu_gradient},
                                       {"gelu", gelu_exact, gelu_exact_gradient},
                                       {"gelu_python", gelu_exact, gelu_exact_gradient},
                                       {"gelu_new", gelu_by_tanh, gelu_by_tanh_gradient},
                                       {"gelu_fast", gelu_by_tanh, gelu_by_tanh_gradient},
                                       {"gelu_accurate", gelu_by_tanh, gelu_by_tanh_gradient},
                                       {"gelu_pytorch_tanh", gelu_by_tanh, gelu_by_tanh_gradient},
                                       {"gelu_python_tanh", gelu_by_tanh, gelu_by_tanh_gradient},
                                       {"gelu_10", clipped_gelu, clipped_gelu_gradient},
                                       {"quick_gelu", quick_gelu, quick_gelu_gradient},
                                       {"relu", relu, relu_gradient},
                                       {"relu2", squared_relu, squared_relu_gradient},
                                       {"relu6", relu6, relu6_gradient},
                                       {"leaky_relu", leaky_relu, leaky_relu_gradient},
                                       {"hardswish", hard_swish, hard_swish_gradient},
                                       {"laplace", laplace, laplace_gradient},
                                       {"linear", identity, identity_gradient},
                                       {"mish", mish, mish_gradient},
                                       {"sigmoid", sigmoid, sigmoid_gradient},
                                       {"sqrtsoftplus", root_of_softplus, root_of_softplus_gradient},
                                       {"tanh", tangent, tangent_gradient}};

void check_same(const Tensor& a, const Tensor& b) {
  GALORE_ASSERT(a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type());
  GALORE_ASSERT(a.is_contiguous() && b.is_contiguous());
}

// Calls `work` with pieces of the tensors. The temporaries of a piece stay in the cache, and none of them is
// as large as an activation of the model.
template <typename Work>
void by_pieces(const std::vector<Tensor>& tensors, const Work& work) {
  constexpr int64_t kPiece = 1 << 16;
  const int64_t total = tensors.front().numel();
  for (int64_t first = 0; first < total; first += kPiece) {
    std::vector<Tensor> parts;
    for (const Tensor& tensor : tensors)
      parts.push_back(tensor.view({-1}).narrow(0, first, std::min(kPiece, total - first)));
    work(parts);
  }
}

Tensor wide(const Tensor& x) { return x.to(at::kFloat); }

void activate_composed(const Tensor& out, const Tensor& x, const Activation& f) {
  by_pieces({out, x}, [&](const std::vector<Tensor>& part) { part[0].copy_(f.value(wide(part[1]))); });
}

void activate_backward_composed(const Tensor& x, const Tensor& gradient, const Activation& f) {
  by_pieces({x, gradient}, [&](const std::vector<Tensor>& part) {
    part[0].copy_(f.gradient(wide(part[1]), wide(part[0])));
  });
}

void gated_composed(const Tensor& out, const Tensor& gate, const Tensor& up, const Activation& f) {
  by_pieces({out, gate, up},
            [&](const std::vector<Tensor>& part) { part[0].copy_(f.value(wide(part[1])) * wide(part[2])); });
}

void gated_backward_composed(const Tensor& gate, const Tensor& up, const Tensor& product,
                             const Activation& f) {
  by_pieces({gate, up, product}, [&](const std::vector<Tensor>& part) {
    const Tensor g = wide(part[0]), u = wide(part[1]), d = wide(part[2]);
    const Tensor value = f.value(g), dg = f.gradient(d * u, g), du = d * value;
    part[2].copy_(value * u);
    part[1].copy_(du);
    part[0].copy_(dg);
  });
}

const kernels::Operation<decltype(activate)> kActivate("activate", {.composed = activate_composed});
const kernels::Operation<decltype(activate_backward)> kActivateBackward(
    "activate_backward", {.composed = activate_backward_composed});
const kernels::Operation<decltype(gated)> kGated("gated", {.composed = gated_composed});
const kernels::Operation<decltype(gated_backward)> kGatedBackward("gated_backward",
                                                                  {.composed = gated_backward_composed});

}  // namespace

const Activation* find_activation(const std::string& name) {
  for (const Activation& known : kActivations)
    if (name == known.name) return &known;
  return nullptr;
}

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const Activation& known : kActivations) names.emplace_back(known.name);
  return names;
}

void activate(const at::Tensor& out, const at::Tensor& x, const Activation& f) {
  check_same(out, x);
  kActivate(out, out, x, f);
}

void activate_backward(const at::Tensor& x, const at::Tensor& gradient, const Activation& f) {
  check_same(x, gradient);
  kActivateBackward(x, x, gradient, f);
}

void gated(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up, const Activation& f) {
  check_same(out, gate);
  check_same(out, up);
  kGated(out, out, gate, up, f);
}

void gated_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& product,
                    const Activation& f) {
  check_same(gate, up);
  check_same(gate, product);
  kGatedBackward(gate, gate, up, product, f);
}

}  // namespace galore
