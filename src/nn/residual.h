// The last product of a residual branch, and the dropout between it and the stream.
#pragma once

#include "nn/linear_layer.h"

namespace galore {

// Adds dropout(linear(x)) to the stream (T x hidden). The mask is keyed by the layer's name.
void add_branch(const Pass& pass, const LinearLayer& linear, const at::Tensor& x, const at::Tensor& stream);

// Runs the backward pass of add_branch(): it computes x_gradient from the gradient of the stream, then lets
// the linear layer report its parameters' gradients.
void branch_backward(const Pass& pass, LinearLayer& linear, const at::Tensor& x,
                     const at::Tensor& stream_gradient, const at::Tensor& x_gradient);

}  // namespace galore
