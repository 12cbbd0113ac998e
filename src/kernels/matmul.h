// The three matrix products of a linear layer y = x W^T. Legend: T tokens, m outputs, n inputs.
//
// Operands have one dtype, fp32 or bf16. A weight may also be bf16 with fp32 operands, or in 8-bit codes. It
// is then converted into a workspace buffer, part by part if it is large, so that no whole copy of a large
// weight ever exists. On the CPU, fp32 products go to MKL, or to oneDNN when prefers_onednn_fp32(). The
// choice depends only on the processor and the shapes, never on a measurement, so that a run can be repeated
// to the bit.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/group_quantized.h"
#include "core/memory.h"

namespace galore {

enum class Write { replace, accumulate };

// Computes out (T x m) = or += x (T x n) weight (m x n)^T.
void product_x_wt(const at::Tensor& out, const at::Tensor& x, const at::Tensor& weight, Write write,
                  Workspace& workspace);
void product_x_wt(const at::Tensor& out, const at::Tensor& x, const GroupQuantized& weight, Write write,
                  Workspace& workspace);
// Computes out (T x n) = or += gradient (T x m) weight (m x n).
void product_x_w(const at::Tensor& out, const at::Tensor& gradient, const at::Tensor& weight, Write write,
                 Workspace& workspace);
void product_x_w(const at::Tensor& out, const at::Tensor& gradient, const GroupQuantized& weight, Write write,
                 Workspace& workspace);
// Computes out (m x n) = or += gradient (T x m)^T x (T x n).
void product_dyt_x(const at::Tensor& out, const at::Tensor& gradient, const at::Tensor& x, Write write);

// Computes out (a x b) = or += left (a x k) right (k x b) for any strides and one dtype. All other products
// use it.
void matrix_product(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right, Write write);
// Computes out (s x s) = x (s x k) x^T in strips from the diagonal on and copies their mirror images. It
// takes three quarters of the multiplications at s = 512 and little more than half from 2048 on.
void symmetric_product(const at::Tensor& out, const at::Tensor& x);

}  // namespace galore
