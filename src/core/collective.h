// Sums tensors of several processes. Each process trains on a share of every batch. Gradients are sums over
// tokens, so the sum of the processes' gradients is the gradient of the batch.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

// Every process must make the same calls in the same order with tensors of the same shapes. After sum() and
// broadcast() a tensor has the same bits on every process.
class Collective {
 public:
  virtual ~Collective() = default;
  // Returns the number of this process, counted from 0.
  virtual int index() const = 0;
  virtual int size() const = 0;
  // Replaces `tensor` by the sum of the processes' tensors. The tensor must be contiguous.
  virtual void sum(const at::Tensor& tensor) = 0;
  // Replaces `tensor` by the tensor of process `from`.
  virtual void broadcast(const at::Tensor& tensor, int from) = 0;
};

// Returns the collective of a process that trains alone: its calls change nothing.
Collective& single_process();

}  // namespace galore
