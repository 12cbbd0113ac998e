// The factors A and B of LoRA (Hu et al., "LoRA: low-rank adaptation of large language models",
// arXiv 2106.09685): a linear layer computes y = f(x) + s B A drop(x), and the product B A is never formed in
// training. Legend: T tokens, m outputs, n inputs, rank r, scale s.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "core/memory.h"
#include "core/parameter.h"
#include "nn/layer_builder.h"
#include "nn/pass.h"

namespace galore {

struct LoraSettings {
  int64_t rank;
  double scale;
  double dropout = 0;  // probability that an element of the factors' input is dropped in training
};

class LoraFactors {
 public:
  // Has the parameters "<place>.lora_A.weight" (r x n) and "<place>.lora_B.weight" (m x r) in fp32.
  LoraFactors(const Place& place, const LinearSize& size, const LoraSettings& settings, Ledger& ledger);

  // The input of the factors: x itself, or a copy with dropout that lives as long as this object.
  class Input {
   public:
    Input(const at::Tensor& x, std::optional<Scratch> dropped) : x_(x), dropped_(std::move(dropped)) {}
    const at::Tensor& operator*() const { return dropped_ ? **dropped_ : x_; }

   private:
    const at::Tensor& x_;
    std::optional<Scratch> dropped_;
  };
  Input input(const Pass& pass, const at::Tensor& x) const;
  bool drops(const Pass& pass) const;

  // Computes out (T x m) += s input A^T B^T.
  void add_output(const Pass& pass, const at::Tensor& input, const at::Tensor& out) const;
  // Computes out (T x n) += s gradient B A, the gradient of the input after dropout.
  void add_input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& out) const;
  // Computes x_gradient (T x n) = or += the dropout mask times `gradient`, which may be the same tensor.
  void drop(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient, Write write) const;
  // Reports the gradients of A and B.
  void report(const Pass& pass, const at::Tensor& gradient, const at::Tensor& input);

  // Draws A from the uniform distribution on +-1/sqrt(n) and sets B to zero, so that B A = 0.
  void initialize(uint64_t seed);
  // Returns s B A (m x n) in fp32 as a new tensor.
  at::Tensor product() const;
  void list(ParameterList& parameters);

  const Parameter& a() const { return a_; }
  const Parameter& b() const { return b_; }
  double scale() const { return settings_.scale; }

 private:
  // Returns s x A^T and s gradient B (T x r).
  Scratch thin_input(const Pass& pass, const at::Tensor& input) const;
  Scratch thin_gradient(const Pass& pass, const at::Tensor& gradient) const;
  at::Tensor a_for(const Pass& pass) const;
  at::Tensor b_for(const Pass& pass) const;
  DropoutMask mask(const Pass& pass) const;

  std::string name_;
  LoraSettings settings_;
  Parameter a_, b_;
};

// Fills `out` (fp32, contiguous) from the uniform distribution on +-`bound`. Does nothing on the meta device.
void draw_uniform(const at::Tensor& out, double bound, RandomStream stream);

}  // namespace galore
