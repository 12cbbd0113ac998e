// The layers of one forward or backward pass share a Pass: the shape of the batch, the dtype and the buffers.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/memory.h"
#include "nn/dropout.h"

namespace galore {

// The position of each token and the keys that it sees, as in Batch (core/batch.h). Undefined tensors mean
// the same as there.
struct PassPositions {
  at::Tensor positions;           // rows x length int64
  at::Tensor first_key, end_key;  // rows x length int32
  at::Tensor token_types = {};    // rows x length int64
};

class RouterBalance;

struct Pass {
  Workspace& workspace;
  at::ScalarType dtype;              // dtype of activations and products
  int64_t rows, length;              // shape of the batch
  std::string prefix = "";           // prefix of saved buffers: one per layer, or one for all layers
  const Dropout* dropout = nullptr;  // null: no dropout
  PassPositions where = {};
  RouterBalance* balance = nullptr;  // null: no balancing loss
  // True if LinearLayer::report_gradient() gets a part of the tokens, and other parts follow.
  bool more_follows = false;

  int64_t tokens() const { return rows * length; }
  // Returns a buffer that lives from the forward pass of a layer to its backward pass.
  at::Tensor saved(const std::string& name, at::IntArrayRef shape) const {
    return workspace.get(Owner::activations, prefix + name, shape, dtype);
  }
  // Returns such a buffer in fp32, for statistics.
  at::Tensor saved_statistics(const std::string& name, at::IntArrayRef shape) const {
    return workspace.get(Owner::activations, prefix + name, shape, at::kFloat);
  }
  // Leases a buffer for the scope of the caller.
  Scratch scratch(const std::string& name, at::IntArrayRef shape) const {
    return workspace.lease(Owner::workspace, name, shape, dtype);
  }
  Pass with_prefix(const std::string& name) const {
    Pass pass = *this;
    pass.prefix = name;
    return pass;
  }
};

}  // namespace galore
