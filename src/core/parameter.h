// A weight and the sink of its gradient. Layers and optimizers meet here without knowing each other.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/group_quantized.h"
#include "core/pinned.h"

namespace galore {

// Receives the parts of one parameter's gradient from a backward pass. Legend: T tokens, m outputs, n inputs.
//
// A layer computes the gradient of its input first, because a layer-wise driver may change the weight as soon
// as the last use has reported. Then it hands over the factors of the weight's gradient. The sink forms what
// its method asked for: the full gradient (m x n), or only its projection, in which case the full gradient
// never exists.
class GradientSink {
 public:
  virtual ~GradientSink() = default;
  // Adds output_gradient^T input to the gradient of a linear layer y = x W^T. It may be called several times
  // per use (chunks of tokens). output_gradient: T x m; input: T x n.
  virtual void add_product(const at::Tensor& output_gradient, const at::Tensor& input) = 0;
  // Adds row t of `gradient` to row indices[t] of an embedding's gradient. indices: T; gradient: T x n.
  virtual void add_rows(const at::Tensor& indices, const at::Tensor& gradient) = 0;
  // Adds `gradient`, which has the parameter's own shape (norms, biases).
  virtual void add(const at::Tensor& gradient) = 0;
  // Tells that a use has reported its whole gradient for this micro-batch. A parameter with several uses (a
  // tied embedding) is complete when every use has called it.
  virtual void use_done() = 0;
};

// An addition to a weight's value: layers compute with value + left right. Legend: c columns.
class WeightTerm {
 public:
  virtual ~WeightTerm() = default;
  virtual bool empty() const = 0;
  struct Factors {
    at::Tensor left, right;  // m x c and c x n, fp32, any strides
  };
  // Returns factors that are valid until the factors of the next parameter are asked for.
  virtual Factors factors() = 0;
};

class UpdateListener;  // core/state_editor.h

// The role of a weight in its model. The model that creates a weight states the role; nobody derives it from
// the name.
enum class Role {
  matrix,     // a matrix of a linear layer inside the model
  embedding,  // a table of rows that indices choose: tokens, positions, token types
  head,       // the last matrix, from hidden states to predictions; a tied head is an embedding
  norm,       // the scale of a normalization
  bias,       // the bias of a linear layer or a normalization
  adapter,    // a factor that an adapter adds to a matrix
};

// A parameter is identified by its address: sinks, terms and lists refer to it.
struct Parameter {
  std::string name;  // the checkpoint's name, e.g. "model.layers.0.mlp.up_proj.weight"
  Role role = Role::matrix;
  int64_t layer = -1;            // number of the transformer layer; -1: outside of all layers
  at::Tensor value;              // fp32 or bf16; undefined where the weight is kept in codes
  bool trainable = true;         // false: frozen; no sink, no state, no gradient
  int uses = 1;                  // reports per backward pass
  GradientSink* sink = nullptr;  // null: no gradient wanted
  bool of_new_head = false;      // of a head that a folder may lack, in which case it is drawn
  bool whole_products = false;   // a use reports by one add_product of all tokens, and by nothing else
  // Replaces `value` if a matrix is quantized to 8 bits. There is no copy of higher precision.
  std::optional<GroupQuantized> codes = std::nullopt;
  WeightTerm* term = nullptr;  // the optimizer's addition to a matrix
  // The layer that the optimizer of this parameter tells about each update; null: none.
  UpdateListener* listener = nullptr;
  [[no_unique_address]] Pinned pinned = {};

  at::IntArrayRef sizes() const { return codes ? at::IntArrayRef(codes->shape) : value.sizes(); }
  int64_t numel() const { return c10::multiply_integers(sizes()); }
  bool has_term() const { return term && !term->empty(); }
};

using ParameterList = std::vector<Parameter*>;

// Returns the 8-bit format of a matrix, or nothing if it is not quantized. The parameter has its name, role
// and layer.
using WeightQuantization = std::function<std::optional<GroupFormat>(const Parameter& matrix)>;

// Attaches a sink to a parameter and detaches it when destroyed, unless another sink has replaced it. The
// parameter must outlive the binding.
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
