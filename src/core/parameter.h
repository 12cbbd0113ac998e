// A weight and where its gradient goes: the place where layers and optimizers meet without knowing each
// other.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/group_codes.h"
#include "core/pinned.h"

namespace galore {

// Receives what a backward pass has to say about one parameter's gradient. Legend: T tokens, m outputs, n
// inputs.
//
// A layer computes the gradient of its input first, because a layer-wise driver may change the weight as soon
// as the last use has reported; then it hands over what it has, and the sink forms what its method asked for:
// the full gradient (m x n), or only its projection, in which case the full gradient never exists.
class GradientSink {
 public:
  virtual ~GradientSink() = default;
  // Gradient += output_gradient^T input, of a linear layer y = x W^T. May be called several times per use
  // (chunks of tokens). output_gradient: T x m; input: T x n.
  virtual void add_product(const at::Tensor& output_gradient, const at::Tensor& input) = 0;
  // Gradient[row i] += rows of `gradient` whose index is i, of an embedding. indices: T; gradient: T x n.
  virtual void add_rows(const at::Tensor& indices, const at::Tensor& gradient) = 0;
  // Gradient += gradient, of the parameter's own shape (norms, biases).
  virtual void add(const at::Tensor& gradient) = 0;
  // This use has reported everything for this micro-batch. A parameter with several uses (a tied embedding)
  // is complete when every use has called it.
  virtual void use_done() = 0;
};

// What a weight has beside its value: layers compute with value + left right. Legend: c columns.
class WeightTerm {
 public:
  virtual ~WeightTerm() = default;
  virtual bool empty() const = 0;
  struct Factors {
    at::Tensor left, right;  // m x c and c x n, fp32, any strides
  };
  // Valid until the next parameter's are asked for.
  virtual Factors factors() = 0;
};

// What a weight is in its model. The model that creates a weight states it; nobody derives it from the name.
enum class Role {
  matrix,     // of a linear layer inside the model
  embedding,  // a table of rows that indices choose: tokens, positions, token types
  head,       // the last matrix, from hidden states to predictions; a tied head is an embedding
  norm,       // scale of a normalization
  bias,       // of a linear layer or a normalization
  adapter,    // a factor that an adapter adds to a matrix
};

// Its address is its identity: sinks, terms and lists refer to it.
struct Parameter {
  std::string name;  // the checkpoint's name, e.g. "model.layers.0.mlp.up_proj.weight"
  Role role = Role::matrix;
  int64_t layer = -1;            // number of the transformer layer; -1: outside of all layers
  at::Tensor value;              // fp32 or bf16; undefined where the weight is kept in codes
  bool trainable = true;         // false: frozen; no sink, no state, no gradient
  int uses = 1;                  // reports per backward pass
  GradientSink* sink = nullptr;  // null: no gradient wanted
  bool whole_products = false;   // a use reports by one add_product of all tokens, and by nothing else
  // In 8 bits, instead of `value`; of a matrix. There is no copy of higher precision.
  std::optional<GroupCodes> codes = std::nullopt;
  WeightTerm* term = nullptr;  // of a matrix; the optimizer's
  [[no_unique_address]] Pinned pinned = {};

  at::IntArrayRef sizes() const { return codes ? at::IntArrayRef(codes->shape) : value.sizes(); }
  int64_t numel() const { return c10::multiply_integers(sizes()); }
  bool has_term() const { return term && !term->empty(); }
};

using ParameterList = std::vector<Parameter*>;

// The 8-bit format in which a matrix is stored; nothing: it is not quantized. The parameter has its name,
// role and layer.
using WeightQuantization = std::function<std::optional<GroupFormat>(const Parameter& matrix)>;

// Attaches a sink to a parameter and detaches it when destroyed, unless another sink has taken its place
// since then. The parameter must outlive the binding.
class SinkBinding {
 public:
  SinkBinding(Parameter& parameter, GradientSink& sink) : parameter_(&parameter), sink_(&sink) {
    parameter.sink = &sink;
  }
  ~SinkBinding() {
    if (parameter_ && parameter_->sink == sink_) parameter_->sink = nullptr;
  }
  SinkBinding(SinkBinding&& other) noexcept
      : parameter_(std::exchange(other.parameter_, nullptr)), sink_(other.sink_) {}
  SinkBinding& operator=(SinkBinding&&) = delete;
  SinkBinding(const SinkBinding&) = delete;
  SinkBinding& operator=(const SinkBinding&) = delete;

 private:
  Parameter* parameter_;
  GradientSink* sink_;
};

}  // namespace galore
