// Products with the low-rank term of a weight (WeightTerm), which is never multiplied out. Legend: T tokens,
// m outputs, n inputs, c columns.
#pragma once

#include "core/memory.h"
#include "core/parameter.h"

namespace galore {

// Returns x thin (T x c) in x's dtype, in the workspace buffer `name`. x is T x k; thin is k x c, of any
// dtype and strides.
at::Tensor thin_product(const at::Tensor& x, const at::Tensor& thin, const char* name, Workspace& workspace);

// Computes out (T x m) += x (T x n) (left right)^T.
void add_term_transpose(const at::Tensor& out, const at::Tensor& x, const WeightTerm::Factors& factors,
                        Workspace& workspace);
// Computes out (T x n) += x (T x m) (left right).
void add_term(const at::Tensor& out, const at::Tensor& x, const WeightTerm::Factors& factors,
              Workspace& workspace);

// Returns a new tensor with the value that layers compute with: decoded and with its term. It is fp32 for a
// quantized weight and has the weight's dtype otherwise.
at::Tensor effective_value(const Parameter& parameter);

}  // namespace galore
