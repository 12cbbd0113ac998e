// What one forward or backward pass has in common: the shape of the micro-batch, the dtype and the buffers.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>

#include "core/parameter.h"
#include "nn/dropout.h"

namespace galore {

struct Pass {
  Workspace& workspace;
  at::ScalarType dtype;              // of activations and products
  int64_t rows, length;              // of the micro-batch
  std::string prefix = "";           // of saved buffers: one per layer, or one shared by all layers
  const Dropout* dropout = nullptr;  // null: none

  int64_t tokens() const { return rows * length; }
  // Lives from the forward pass of a layer to its backward pass.
  at::Tensor saved(const std::string& name, at::IntArrayRef shape) const {
    return workspace.get(Owner::activations, prefix + name, shape, dtype);
  }
  at::Tensor saved_statistics(const std::string& name, at::IntArrayRef shape) const {
    return workspace.get(Owner::activations, prefix + name, shape, at::kFloat);
  }
  // Free for others as soon as the function that asked for it returns.
  at::Tensor scratch(const std::string& name, at::IntArrayRef shape) const {
    return workspace.get(Owner::workspace, name, shape, dtype);
  }
  Pass with_prefix(const std::string& name) const { return {workspace, dtype, rows, length, name, dropout}; }
};

// The 8-bit codes in which a linear layer's matrix is kept, by the parameter's name; nothing: in the dtype of
// the others.
using WeightCoding = std::function<std::optional<GroupFormat>(const std::string& name)>;

// Where a layer's parameters are allocated.
struct WeightSpace {
  Ledger& ledger;
  at::ScalarType dtype;           // of what is not in codes
  WeightCoding coding = nullptr;  // null: no codes

  at::Tensor allocate(at::IntArrayRef shape) const { return ledger.empty(Owner::weights, shape, dtype); }
  // The value or the codes of a linear layer's matrix, by its name.
  void allocate_matrix(Parameter& parameter, at::IntArrayRef shape) const {
    if (const auto format = coding ? coding(parameter.name) : std::nullopt) {
      parameter.codes = zero_group_codes(*format, shape, Owner::weights, ledger);
    } else {
      parameter.value = allocate(shape);
    }
  }
};

}  // namespace galore
