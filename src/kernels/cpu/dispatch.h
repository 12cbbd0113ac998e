// Calls a generic function with a null pointer of the tensor's element type if that is fp32 or bf16.
#pragma once

#include <ATen/core/Tensor.h>

namespace galore::kernels::cpu {

template <typename Function>
bool with_element(const at::Tensor& tensor, const Function& function) {
  if (tensor.scalar_type() == at::kFloat) {
    function(static_cast<float*>(nullptr));
  } else if (tensor.scalar_type() == at::kBFloat16) {
    function(static_cast<at::BFloat16*>(nullptr));
  } else {
    return false;
  }
  return true;
}

// The element type, in a function that with_element() calls.
template <typename Pointer>
using Element = std::remove_pointer_t<Pointer>;

template <typename T>
T* data(const at::Tensor& tensor) {
  return tensor.data_ptr<T>();
}

}  // namespace galore::kernels::cpu
