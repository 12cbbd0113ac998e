// QR decompositions of two matrices side by side, with which MoFaSGD (arXiv 2507.08091) adds a gradient to a
// momentum that it keeps as singular triples. Legend: k columns of each matrix.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/memory.h"

namespace galore {

// The QR decomposition [a, b] = Q R. Columns of Q beyond the rank of [a, b] are arbitrary.
struct PairFactors {
  at::Tensor q, r;
};

// Decomposes [a, b] (fp32, both with k columns) in workspace buffers that have names beginning with `name`.
PairFactors factors_of_pair(const std::string& name, const at::Tensor& a, const at::Tensor& b,
                            Workspace& workspace);

// Returns R_U [[inner, I], [I, 0]] R_V^T in fp64, where inner is k x k and the other two have 2 k columns.
at::Tensor core_of_sum(const at::Tensor& inner, const at::Tensor& r_u, const at::Tensor& r_v);

}  // namespace galore
