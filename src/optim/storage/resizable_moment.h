// A moment with a shape that changes, for methods that choose their rank.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "core/memory.h"
#include "optim/storage/moment.h"
#include "optim/update_rules/update_rule.h"

namespace galore {

class ResizableMoment {
 public:
  // It has no shape before the first resize().
  ResizableMoment(const StorageOptions& storage, bool is_signed, Ledger& ledger)
      : storage_(storage), is_signed_(is_signed), ledger_(ledger) {}

  // Becomes zero, unless it has this shape already. The bytes of the old shape are given back.
  void resize(const std::vector<int64_t>& shape) {
    if (shape == shape_) return;
    if (moment_) ledger_.add(Owner::moments, -moment_bytes(storage_, c10::multiply_integers(shape_)));
    shape_ = shape;
    moment_ = make_moment(storage_, shape_, is_signed_, ledger_);
  }
  // Becomes x rotation (`of_columns`) or rotation^T x, which has `shape`.
  void rotate(const at::Tensor& rotation, bool of_columns, const std::vector<int64_t>& shape) {
    const at::Tensor value = turned_state(moment_->read(), rotation, of_columns);
    resize(shape);
    moment_->write(value);
  }
  Moment& operator*() { return *moment_; }
  Moment* operator->() { return moment_.get(); }

 private:
  StorageOptions storage_;
  bool is_signed_;
  Ledger& ledger_;
  std::vector<int64_t> shape_;
  std::unique_ptr<Moment> moment_;
};

}  // namespace galore
