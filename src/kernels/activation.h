// The elementwise activations of transformers' MLPs, by the names in config.json, and their products with a
// gate. Tensors have one shape and dtype, fp32 or bf16, and are contiguous; the computation is in fp32.
// SwiGLU has a kernel of its own (swiglu.h), and so has GELU without a gate (gelu.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace galore {

struct Activation {
  const char* name;
  at::Tensor (*value)(const at::Tensor& x);
  // Returns dL/dx from the gradient of the value.
  at::Tensor (*gradient)(const at::Tensor& gradient, const at::Tensor& x);
};

// Returns null for an unknown name.
const Activation* find_activation(const std::string& name);
std::vector<std::string> activation_names();

// Computes out = f(x).
void activate(const at::Tensor& out, const at::Tensor& x, const Activation& f);
// Replaces x by its gradient, computed from the gradient of the output.
void activate_backward(const at::Tensor& x, const at::Tensor& gradient, const Activation& f);

// Computes out = f(gate) * up.
void gated(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up, const Activation& f);
// Works in place as swiglu_backward(): `product` holds its gradient and becomes the product itself,
// recomputed; `gate` and `up` become their own gradients.
void gated_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& product,
                    const Activation& f);

}  // namespace galore
