// The fast CPU versions behind the functions of the same names in kernels/. Each returns false, having done
// nothing, for a combination of dtypes it does not serve. Arguments are already checked.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"
#include "kernels/attention.h"
#include "kernels/dropout.h"
#include "kernels/layer_norm.h"
#include "kernels/rms_norm.h"

namespace galore::kernels::cpu {

// fp32 or bf16 on either side.
bool convert(const at::Tensor& out, const at::Tensor& in);

// fp32 or bf16, one dtype throughout except where kernels/ says fp32.
bool rms_norm(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
              const at::Tensor& weight, double epsilon);
bool rms_norm_again(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
                    const at::Tensor& weight);
// partial (P x n, fp32): the weight's gradient, summed over P groups of consecutive tokens.
bool rms_norm_backward(const at::Tensor& x_gradient, const at::Tensor& partial, const at::Tensor& gradient,
                       const RmsNormInputs& inputs);
bool layer_norm_statistics(const at::Tensor& statistics, const at::Tensor& x, double epsilon);
bool layer_norm(const at::Tensor& out, const LayerNormInputs& inputs, const at::Tensor& bias);
// partial (2 x P x n, fp32): the gradients of weight and bias, each summed over P groups of tokens.
bool layer_norm_backward(const at::Tensor& x_gradient, const at::Tensor& partial, const at::Tensor& gradient,
                         const LayerNormInputs& inputs);
bool swiglu(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up);
bool swiglu_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& product);
bool dropout(const at::Tensor& out, const at::Tensor& x, const DropoutMask& mask, int64_t first_row,
             Write write);
bool rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse,
            const at::Tensor& positions);
// gradient_scale null: losses only, logits stay.
bool cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                   const double* gradient_scale);

// fp32 or bf16 on either side.
bool embedding(const at::Tensor& out, const at::Tensor& table, const at::Tensor& indices);
bool add_rows(const at::Tensor& table, const at::Tensor& indices, const at::Tensor& rows);

// Blocks of 64 queries and keys, so that no matrix of all scores exists (Dao et al., "FlashAttention", 2022);
// fp32 arithmetic for either dtype. Tasks are (row, key head), so grouped heads need no copies and no
// atomics. On meta tensors only the workspace is claimed.
bool attention(const AttentionTensors& tensors, Workspace& workspace);
bool attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors, Workspace& workspace);

}  // namespace galore::kernels::cpu
