// A fixed random set of k elements of an m x n matrix, which a seed and a name give again at any time.
//
// Row i has floor((i + 1) k / m) - floor(i k / m) elements. A row with c of them is cut into c stretches of
// columns that differ by at most one in length, and a uniform draw takes one column of each. Then the row is
// turned by a uniform number of columns, so that every element of a row is equally likely. No draw is
// refused. Number w of the random stream belongs to element w of the set, and number 2^40 + i turns row i.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "core/random.h"

namespace galore {

class SparseSupport {
 public:
  // count <= rows x columns < 2^31
  SparseSupport(int64_t rows, int64_t columns, int64_t count, uint64_t seed, const std::string& name)
      : rows_(rows), columns_(columns), count_(count), stream_(seed, "support", name) {}

  int64_t count() const { return count_; }
  // Writes the positions in the flattened matrix (k, int32).
  void write(const at::Tensor& positions) const;
  // Adds values (k) to the elements of `matrix` (m x n, contiguous); both have one dtype, fp32 or bf16.
  // `positions` is the result of write(), or undefined: then they are computed again.
  void add(const at::Tensor& matrix, const at::Tensor& values, const at::Tensor& positions) const;
  // Copies the elements of `matrix` into `values`.
  void take(const at::Tensor& values, const at::Tensor& matrix, const at::Tensor& positions) const;

 private:
  // Calls visit(number of the element, its position) for the elements of the rows [begin, end).
  template <typename Visit>
  void visit_rows(int64_t begin, int64_t end, const Visit& visit) const;
  // Does the same for all rows, on all threads, with positions that are known or computed.
  template <typename Visit>
  void visit_all(const at::Tensor& positions, const Visit& visit) const;
  int64_t first_of_row(int64_t row) const { return row * count_ / rows_; }

  int64_t rows_, columns_, count_;
  RandomStream stream_;
};

}  // namespace galore
