// What one forward or backward pass has in common: the shape of the micro-batch, the dtype and the buffers.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/memory.h"

namespace galore {

struct Pass {
  Workspace& workspace;
  at::ScalarType dtype;     // of activations and products
  int64_t rows, length;     // of the micro-batch
  std::string prefix = "";  // of saved buffers: one per layer, or one shared by all layers

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
  Pass with_prefix(const std::string& name) const { return {workspace, dtype, rows, length, name}; }
};

// Where a layer's parameters are allocated.
struct WeightSpace {
  Ledger& ledger;
  at::ScalarType dtype;

  at::Tensor allocate(at::IntArrayRef shape) const { return ledger.empty(Owner::weights, shape, dtype); }
};

}  // namespace galore
