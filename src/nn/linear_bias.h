// The bias of a linear layer. Legend: T tokens, m outputs.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/parameter.h"
#include "kernels/matmul.h"
#include "nn/pass.h"

namespace galore {

// Adds the bias (m) to out (T x m) around the layer's product. If the layer replaces `out`, the bias is
// written first; otherwise it is added last. Without a value nothing is added.
class BiasAround {
 public:
  BiasAround(const at::Tensor& out, const Parameter& bias, Write write);
  // Tells how the product between the constructor and finish() writes.
  Write product() const { return product_; }
  void finish() const;

 private:
  const at::Tensor& out_;
  const at::Tensor& bias_;
  Write product_;
  bool last_;
};

// Reports the bias's gradient, the sum of `gradient` (T x m) over tokens, if it has a sink.
void report_bias(const Pass& pass, const Parameter& bias, const at::Tensor& gradient);

}  // namespace galore
