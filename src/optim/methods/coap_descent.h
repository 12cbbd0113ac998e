// The step of gradient descent that COAP's basis takes between two searches (coap.h has the formulas and the
// paper). Legend: m x n gradient G, rank r; H is G^T, or G if the basis is on the left side.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/memory.h"

namespace galore {

class CoapDescent {
 public:
  // `average` is the first moment of the low-rank gradient. The tensors are read, never written.
  CoapDescent(bool left, at::Tensor basis, at::Tensor average, Workspace& workspace)
      : left_(left), basis_(std::move(basis)), average_(std::move(average)), workspace_(workspace) {}

  // Returns the basis after one step at this rate, or an undefined tensor if the gradient is zero.
  at::Tensor next_basis(const at::Tensor& gradient, double rate);

 private:
  at::Tensor buffer(const char* name, int64_t rows, int64_t columns);
  at::Tensor product(const char* name, const at::Tensor& a, const at::Tensor& b);
  // Returns the mean cosine of the rows of X and G and writes its slope into `of_basis`. `low_rank` is P^T H
  // and `overlap` is P^T P.
  double mean_cosine(const at::Tensor& gradient, const at::Tensor& low_rank, const at::Tensor& overlap,
                     const at::Tensor& of_basis);

  bool left_;
  at::Tensor basis_, average_;
  Workspace& workspace_;
};

}  // namespace galore
