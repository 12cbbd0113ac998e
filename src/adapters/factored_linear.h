// A linear layer whose weight is a product of two thin factors: y = B f(A x) + b. Legend: T tokens, m
// outputs, n inputs, rank r.
//
//   f the identity   W = B A, the low-rank baseline of the GaLore paper (arXiv 2403.03507, table 2)
//   f = silu         CoLA (Liu et al., "CoLA: compute-efficient pre-training of LLMs via low-rank
//   activation",
//                    arXiv 2502.10940)
//
// A pass costs 2 T r (m + n) operations instead of 2 T m n. A x is kept for the backward pass (T x r), with
// gradient checkpointing too. The factors begin as normal numbers such that the elements of B A have the
// deviation 1 / sqrt(m + n).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "adapters/adapter.h"

namespace galore {

enum class Middle { linear, silu };

class FactoredLinear : public AdaptedLayer {
 public:
  // Has the parameters "<place>.factor_A.weight" (r x n), "<place>.factor_B.weight" (m x r) and, if asked
  // for, "<place>.bias" (m), in the dtype of the model's weights.
  FactoredLinear(const Place& place, const LinearSize& size, int64_t rank, Middle middle,
                 const LayerBuilder& builder);

  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const override;
  void input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                      Write write) const override;
  void report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) override;
  void list(ParameterList& parameters) override;
  const std::string& name() const override { return name_; }
  // With an activation between the factors there is no such weight, and this is an Error.
  at::Tensor merged_weight() const override;
  void initialize(uint64_t seed) override;

 protected:
  Parameter& a() { return a_; }
  Parameter& b() { return b_; }

 private:
  // Return A x as forward() has left it, and the gradient of A x as input_gradient() has left it (T x r).
  at::Tensor thin_input(const Pass& pass, int64_t tokens) const;
  at::Tensor thin_gradient(const Pass& pass, int64_t tokens) const;

  std::string name_;
  bool inputs_first_;
  Middle middle_;
  Parameter a_, b_, bias_;  // bias_ has no value if there is no bias
};

}  // namespace galore
