// The fast CPU versions behind the functions of the same names in kernels/. Each returns false, having done
// nothing, for a combination of dtypes it does not serve. Arguments are already checked.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"
#include "kernels/attention.h"
#include "kernels/rms_norm.h"

namespace galore::cpu {

inline bool convert(const at::Tensor&, const at::Tensor&) { return false; }
inline bool rms_norm(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, double) {
  return false;
}
inline bool rms_norm_again(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  return false;
}
inline bool rms_norm_backward(const at::Tensor&, const at::Tensor&, const at::Tensor&, const RmsNormInputs&) {
  return false;
}
inline bool swiglu(const at::Tensor&, const at::Tensor&, const at::Tensor&) { return false; }
inline bool swiglu_backward(const at::Tensor&, const at::Tensor&, const at::Tensor&) { return false; }
inline bool rotate(const at::Tensor&, const at::Tensor&, const at::Tensor&, bool) { return false; }
inline bool cross_entropy(const at::Tensor&, const at::Tensor&, const at::Tensor&, const double*) {
  return false;
}
inline bool embedding(const at::Tensor&, const at::Tensor&, const at::Tensor&) { return false; }
inline bool add_rows(const at::Tensor&, const at::Tensor&, const at::Tensor&) { return false; }
inline bool attention(const AttentionTensors&, Workspace&) { return false; }
inline bool attention_backward(const AttentionGradients&, const at::Tensor&, const AttentionTensors&,
                               Workspace&) {
  return false;
}

}  // namespace galore::cpu
