#include "kernels/product_count.h"

#include <ATen/ATen.h>

namespace galore {
namespace {

thread_local ProductCount* current = nullptr;

}  // namespace

ProductCount::ProductCount() : before_(current) { current = this; }
ProductCount::~ProductCount() { current = before_; }

void ProductCount::note(const at::Tensor& out, const at::Tensor& left, const at::Tensor& right, Write write) {
  if (!current) return;
  current->seen_.insert({out.size(0), out.size(1), left.size(1), out.stride(1), left.stride(1),
                         right.stride(1), static_cast<int64_t>(out.scalar_type()),
                         static_cast<int64_t>(write)});
}

}  // namespace galore
