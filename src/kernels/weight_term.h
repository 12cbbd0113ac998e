// Products with what a weight has beside its value (WeightTerm), which is never multiplied out. Legend: T
// tokens, m outputs, n inputs, c columns.
#pragma once

#include "core/memory.h"
#include "core/parameter.h"

namespace galore {

// x thin (T x c), in x's dtype, in the workspace buffer `name`. x: T x k; thin: k x c, any dtype and strides.
at::Tensor thin_product(const at::Tensor& x, const at::Tensor& thin, const char* name, Workspace& workspace);

// out (T x m) += x (T x n) (left right)^T
void add_term_transpose(const at::Tensor& out, const at::Tensor& x, const WeightTerm::Factors& factors,
                        Workspace& workspace);
// out (T x n) += x (T x m) (left right)
void add_term(const at::Tensor& out, const at::Tensor& x, const WeightTerm::Factors& factors,
              Workspace& workspace);

// A new tensor: what layers compute with, decoded and with its term. Of a weight in codes, fp32; else in its
// dtype.
at::Tensor effective_value(const Parameter& parameter);

}  // namespace galore
