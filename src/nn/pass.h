// What the layers of one forward or backward pass share: the shape of the batch, the dtype, the buffers.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/memory.h"
#include "nn/dropout.h"

namespace galore {

// Which keys each position sees, and where it stands; as in Batch (core/batch.h), with the same meaning of
// undefined tensors.
struct PassPositions {
  at::Tensor positions;           // rows x length int64
  at::Tensor first_key, end_key;  // rows x length int32
};

struct Pass {
  Workspace& workspace;
  at::ScalarType dtype;              // of activations and products
  int64_t rows, length;              // of the batch
  std::string prefix = "";           // of saved buffers: one per layer, or one that all layers share
  const Dropout* dropout = nullptr;  // null: none
  PassPositions where = {};

  int64_t tokens() const { return rows * length; }
  // A buffer that lives from the forward pass of a layer to its backward pass.
  at::Tensor saved(const std::string& name, at::IntArrayRef shape) const {
    return workspace.get(Owner::activations, prefix + name, shape, dtype);
  }
  // The same in fp32.
  at::Tensor saved_statistics(const std::string& name, at::IntArrayRef shape) const {
    return workspace.get(Owner::activations, prefix + name, shape, at::kFloat);
  }
  // A buffer for the scope of the caller.
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
