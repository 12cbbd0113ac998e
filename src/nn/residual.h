// The last product of a residual branch, with the dropout between it and the stream.
#pragma once

#include "nn/linear_layer.h"

namespace galore {

// stream (T x hidden) += dropout(linear(x)). The mask is keyed by the layer's name.
void add_branch(const Pass& pass, const LinearLayer& linear, const at::Tensor& x, const at::Tensor& stream);

// The backward pass of add_branch() for the linear layer: x_gradient = the gradient of x, given the gradient
// of the stream; then the layer reports its parameters' gradients.
void branch_backward(const Pass& pass, LinearLayer& linear, const at::Tensor& x,
                     const at::Tensor& stream_gradient, const at::Tensor& x_gradient);

}  // namespace galore
