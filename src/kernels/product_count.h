// The number of different matrix products that a plan comes upon.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <set>

#include "kernels/matmul.h"

namespace galore {

// While it lives, counts the products of this thread on the meta device that differ in shape, layout or
// dtype; a library may keep generated code for each. Of several at one time, the latest counts.
class ProductCount {
 public:
  ProductCount();
  ~ProductCount();
  ProductCount(const ProductCount&) = delete;
  ProductCount& operator=(const ProductCount&) = delete;
  int64_t distinct() const { return static_cast<int64_t>(seen_.size()); }

  // For matrix_product(): to the count of this thread, if there is one.
  static void note(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right, Write write);

 private:
  ProductCount* before_;
  std::set<std::array<int64_t, 8>> seen_;
};

}  // namespace galore
