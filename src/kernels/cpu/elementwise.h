// The fast CPU versions of the functions of the same names in kernels/. Each returns false without doing
// anything for a combination of dtypes that it does not support. Arguments are already checked.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"
#include "kernels/attention.h"
#include "kernels/dropout.h"
#include "kernels/layer_norm.h"
#include "kernels/rms_norm.h"
#include "kernels/rotary.h"
#include "kernels/value_loss.h"

namespace galore::kernels::cpu {

// Support fp32 or bf16 on either side.
bool convert(const at::Tensor& out, const at::Tensor& in);

// The next functions support fp32 or bf16, with one dtype throughout except for tensors that kernels/
// requires to be fp32.
bool rms_norm(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
              const at::Tensor& weight, double epsilon);
bool rms_norm_recompute(const at::Tensor& out, const at::Tensor& inverse_rms, const at::Tensor& x,
                        const at::Tensor& weight);
// partial (P x n, fp32) is the weight's gradient, summed over P groups of consecutive tokens.
bool rms_norm_backward(const at::Tensor& x_gradient, const at::Tensor& partial, const at::Tensor& gradient,
                       const RmsNormInputs& inputs);
bool layer_norm_statistics(const at::Tensor& statistics, const at::Tensor& x, double epsilon);
bool layer_norm(const at::Tensor& out, const LayerNormInputs& inputs, const at::Tensor& bias);
// partial (2 x P x n, fp32) holds the gradients of weight and bias, each summed over P groups of tokens.
bool layer_norm_backward(const at::Tensor& x_gradient, const at::Tensor& partial, const at::Tensor& gradient,
                         const LayerNormInputs& inputs);
bool swiglu(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up);
bool swiglu_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& product);
bool dropout(const at::Tensor& out, const at::Tensor& x, const DropoutMask& mask, int64_t first_row,
             Write write);
bool rotate(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, bool inverse,
            const at::Tensor& positions, RotaryPairs pairs);
// If gradient_scale is null, only the losses are computed and the logits stay.
bool cross_entropy(const at::Tensor& losses, const at::Tensor& logits, const at::Tensor& labels,
                   const double* gradient_scale);
// Supports all that the function of the same name in kernels/ does.
void value_loss(const ValueLosses& out, const at::Tensor& logits, const at::Tensor& targets,
                const ValueSupport& support, std::optional<double> gradient_scale);

// Support fp32 or bf16 on either side.
bool embedding(const at::Tensor& out, const at::Tensor& table, const at::Tensor& indices);
bool add_rows(const at::Tensor& table, const at::Tensor& indices, const at::Tensor& rows);

// Works in blocks of 64 queries and keys, so that no matrix of all scores exists (Dao et al.,
// "FlashAttention", 2022), and with fp32 arithmetic for either dtype. A task is a pair of row and key head,
// so grouped heads need no copies and no atomics. On meta tensors it only allocates the workspace.
bool attention(const AttentionTensors& tensors, Workspace& workspace);
bool attention_backward(const AttentionGradients& gradients, const at::Tensor& out_gradient,
                        const AttentionTensors& tensors, Workspace& workspace);

}  // namespace galore::kernels::cpu
