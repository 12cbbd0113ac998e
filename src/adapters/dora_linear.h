// A linear layer in the form of DoRA (Liu et al., "DoRA: weight-decomposed low-rank adaptation",
// arXiv 2402.09353): y = diag(c) V drop(x) + b with V = W + s B A and c = magnitude / |rows of V|. The
// magnitude is trained with the factors of V. Legend: T tokens, m outputs, n inputs.
//
// Departures from the paper: the norm counts as a constant in the backward pass, and dropout touches only the
// difference from f(x): y = f(x) + (c - 1) W drop(x) + c s B A drop(x). PEFT does both.
#pragma once

#include <string>

#include "adapters/adapter.h"
#include "adapters/lora_factors.h"

namespace galore {

class DoraLinear : public AdaptedLayer {
 public:
  // Has the parameters of LoraFactors and "<place>.lora_magnitude_vector" (m).
  DoraLinear(const Place& place, const LinearSize& size, const LoraSettings& settings,
             const LayerBuilder& inner, Ledger& ledger);

  void forward(const Pass& pass, const at::Tensor& x, const at::Tensor& out, Write write) const override;
  void input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient,
                      Write write) const override;
  void report_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x) override;
  void list(ParameterList& parameters) override;
  const std::string& name() const override { return base_->name(); }
  at::Tensor merged_weight() const override;
  void initialize(uint64_t seed) override;
  bool starts_from_data() const override { return factors_.starts_from_data(); }
  bool inputs_first() const override { return inputs_first_; }
  void start_from(const at::Tensor& gradient, const at::Tensor& input) override;

 protected:
  // Returns the norms of the rows of V (m) in fp32.
  Scratch norms(const Pass& pass) const;
  // Returns V input (T x m).
  Scratch directions(const Pass& pass, const at::Tensor& input) const;
  // Returns (c - less) times the columns of `x` (T x m).
  Scratch scaled(const Pass& pass, const at::Tensor& x, double less) const;
  // Returns V (m x n) in fp32 as a new tensor.
  at::Tensor direction_matrix() const;
  void remember_norms_of_weight() const;
  void report_magnitude(const Pass& pass, const at::Tensor& gradient, const at::Tensor& input);
  // Forgets the norms of W, which has changed.
  void forget_norms() { norms_are_known_ = false; }
  LinearLayer& base() const { return *base_; }
  const LoraFactors& factors() const { return factors_; }
  const Parameter& bias() const { return bias_; }
  const at::Tensor& magnitude() const { return magnitude_.value; }

 private:
  int64_t outputs_;
  bool inputs_first_;
  LinearPointer base_;  // without a bias
  LoraFactors factors_;
  Parameter magnitude_, bias_;  // bias_ has no value if there is no bias
  // The squared norms of the rows of W, which is frozen. They are computed when they are first needed.
  mutable at::Tensor squared_norms_;
  mutable bool norms_are_known_ = false;
};

}  // namespace galore
