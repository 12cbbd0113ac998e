#include "adapters/sparse_support.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "core/errors.h"

namespace galore {
namespace {

// With fewer elements a thread costs more than it saves.
constexpr int64_t kElementsPerThread = 4096;

constexpr int64_t kFirstTurn = int64_t{1} << 40;

// The numbers of a stream, which are made in blocks of four.
class Words {
 public:
  explicit Words(const RandomStream& stream) : stream_(stream) {}
  // Returns number `index`, scaled to [0, bound).
  int64_t below(int64_t bound, int64_t index) {
    if (index / 4 != block_) {
      block_ = index / 4;
      words_ = stream_.block(static_cast<uint64_t>(block_));
    }
    return static_cast<int64_t>(words_[static_cast<size_t>(index % 4)] * static_cast<uint64_t>(bound) >> 32);
  }

 private:
  const RandomStream& stream_;
  int64_t block_ = -1;
  std::array<uint32_t, 4> words_{};
};

template <typename Function>
void with_values(const at::Tensor& values, const Function& function) {
  if (values.scalar_type() == at::kFloat) return function(static_cast<float*>(nullptr));
  GALORE_ASSERT(values.scalar_type() == at::kBFloat16);
  function(static_cast<at::BFloat16*>(nullptr));
}

}  // namespace

template <typename Visit>
void SparseSupport::visit_rows(int64_t begin, int64_t end, const Visit& visit) const {
  Words picks(stream_), turns(stream_);
  int64_t element = first_of_row(begin);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t in_row = first_of_row(row + 1) - element;
    const int64_t turn = turns.below(columns_, kFirstTurn + row);
    for (int64_t i = 0; i < in_row; ++i, ++element) {
      const int64_t first = i * columns_ / in_row, length = (i + 1) * columns_ / in_row - first;
      const int64_t column = first + picks.below(length, element) + turn;
      visit(element, row * columns_ + (column < columns_ ? column : column - columns_));
    }
  }
}

template <typename Visit>
void SparseSupport::visit_all(const at::Tensor& positions, const Visit& visit) const {
  if (positions.defined()) {
    const int32_t* known = positions.const_data_ptr<int32_t>();
    return at::parallel_for(0, count_, kElementsPerThread, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) visit(i, known[i]);
    });
  }
  const int64_t rows = std::max<int64_t>(1, kElementsPerThread * rows_ / std::max<int64_t>(count_, 1));
  at::parallel_for(0, rows_, rows, [&](int64_t begin, int64_t end) { visit_rows(begin, end, visit); });
}

void SparseSupport::write(const at::Tensor& positions) const {
  int32_t* out = positions.mutable_data_ptr<int32_t>();
  visit_all({}, [&](int64_t i, int64_t position) { out[i] = static_cast<int32_t>(position); });
}

void SparseSupport::add(const at::Tensor& matrix, const at::Tensor& values,
                        const at::Tensor& positions) const {
  with_values(values, [&](auto* element) {
    using T = std::remove_pointer_t<decltype(element)>;
    T* target = matrix.mutable_data_ptr<T>();
    const T* value = values.const_data_ptr<T>();
    visit_all(positions, [&](int64_t i, int64_t position) { target[position] += value[i]; });
  });
}

void SparseSupport::take(const at::Tensor& values, const at::Tensor& matrix,
                         const at::Tensor& positions) const {
  with_values(values, [&](auto* element) {
    using T = std::remove_pointer_t<decltype(element)>;
    const T* source = matrix.const_data_ptr<T>();
    T* target = values.mutable_data_ptr<T>();
    visit_all(positions, [&](int64_t i, int64_t position) { target[i] = source[position]; });
  });
}

}  // namespace galore
