// The factors A and B of LoRA (Hu et al., "LoRA: low-rank adaptation of large language models",
// arXiv 2106.09685): a linear layer computes y = f(x) + s B A drop(x), and the product B A is never formed in
// training. Legend: T tokens, m outputs, n inputs, rank r, scale s.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "adapters/leading_triplets.h"
#include "core/memory.h"
#include "core/parameter.h"
#include "nn/layer_builder.h"
#include "nn/pass.h"

namespace galore {

// The first values of the factors.
enum class LoraStart {
  uniform,   // A uniform and B zero
  pissa,     // the leading singular triplets of W, which are taken off W (Meng et al., arXiv 2404.02948)
  eva,       // A the leading right singular vectors of the layer's input (Paischer et al., arXiv 2410.07170)
  lora_one,  // the leading singular triplets of the first gradient (Zhang et al., arXiv 2502.01235)
};

struct LoraSettings {
  int64_t rank;
  double scale;
  double dropout = 0;  // probability that an element of the factors' input is dropped in training
  LoraStart start = LoraStart::uniform;
  int64_t start_iterations = 0;  // of PiSSA's search; 0: a whole decomposition
};

class LoraFactors {
 public:
  // Has the parameters "<place>.lora_A.weight" (r x n) and "<place>.lora_B.weight" (m x r) in fp32, and with
  // PiSSA "<place>.lora_A.start" and "<place>.lora_B.start" of the same shapes.
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

  // Computes out (T x m) += s input A^T B^T. input A^T is kept for the backward pass (T x r).
  void add_output(const Pass& pass, const at::Tensor& input, const at::Tensor& out) const;
  // Computes out (T x n) += s gradient B A, the gradient of the input after dropout.
  void add_input_gradient(const Pass& pass, const at::Tensor& gradient, const at::Tensor& out) const;
  // Computes x_gradient (T x n) = or += the dropout mask times `gradient`, which may be the same tensor.
  void drop(const Pass& pass, const at::Tensor& gradient, const at::Tensor& x_gradient, Write write) const;
  // Reports the gradients of A and B. add_output() and add_input_gradient() come before, with the same input
  // and the same gradient.
  void report(const Pass& pass, const at::Tensor& gradient, const at::Tensor& input);

  // Draws A from the uniform distribution on +-1/sqrt(n) and sets B to zero, so that B A = 0. With PiSSA the
  // factors come from `weight` (m x n, fp32), which is asked for then alone. A and B - their first values
  // then are what is added to the layer, so the weight stays as it is.
  void initialize(uint64_t seed, const std::function<at::Tensor()>& weight);
  // Returns true if the first values depend on a batch.
  bool starts_from_data() const;
  // Sets these values from the gradient of the layer's output (T x m) and its input (T x n). Fewer tokens
  // than the rank, as an expert may get, leave the values as they are.
  void start_from(const at::Tensor& gradient, const at::Tensor& input);
  // Returns s B A (m x n) in fp32 as a new tensor, less its first value with PiSSA.
  at::Tensor product() const;
  void list(ParameterList& parameters);

  const Parameter& a() const { return a_; }
  const Parameter& b() const { return b_; }
  double scale() const { return settings_.scale; }

 private:
  // Return the buffers of s input A^T and s gradient B (T x r).
  at::Tensor thin_input(const Pass& pass, int64_t tokens) const;
  at::Tensor thin_gradient(const Pass& pass, int64_t tokens) const;
  struct Pair {
    const Parameter &a, &b;
  };
  // Computes out += s given A^T B^T, and out += s gradient B A, with the product in the middle in `thin`.
  void add(const Pass& pass, const at::Tensor& thin, const at::Tensor& given, const Pair& pair,
           const at::Tensor& out) const;
  void add_transposed(const Pass& pass, const at::Tensor& thin, const at::Tensor& gradient, const Pair& pair,
                      const at::Tensor& out) const;
  // Sets A and B to the vectors times `sizes`.
  void set_from(const Triplets& found, const at::Tensor& sizes);
  at::Tensor for_pass(const Pass& pass, const Parameter& factor) const;
  DropoutMask mask(const Pass& pass) const;

  bool has_start() const { return start_a_.value.defined(); }

  std::string name_, name_in_layer_;
  LoraSettings settings_;
  Parameter a_, b_;
  // PiSSA's first A and minus its first B, which are not trained; no values otherwise. In files they stand
  // behind A and B, as factors of twice the rank.
  Parameter start_a_, start_b_;
};

// The ending of the names of factors that keep a first value.
inline constexpr const char* kStartEnding = ".start";

// Fills `out` (fp32, contiguous) from the uniform distribution on +-`bound`. Does nothing on the meta device.
void draw_uniform(const at::Tensor& out, double bound, RandomStream stream);

}  // namespace galore
