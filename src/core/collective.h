// Where numbers of several processes are added up. One process trains on a share of each batch; gradients are
// sums over tokens, so the sum of the processes' gradients is the gradient of the batch.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore {

// Every process must make the same calls in the same order with tensors of the same shapes. After sum() and
// broadcast() a tensor has the same bits on every process.
class Collective {
 public:
  virtual ~Collective() = default;
  // The number of this process, from 0.
  virtual int index() const = 0;
  virtual int size() const = 0;
  // tensor = the sum of the processes' tensors, in place. The tensor is contiguous.
  virtual void sum(const at::Tensor& tensor) = 0;
  // tensor = the tensor of process `from`.
  virtual void broadcast(const at::Tensor& tensor, int from) = 0;
};

// A process that is alone: all calls do nothing.
Collective& single_process();

}  // namespace galore
